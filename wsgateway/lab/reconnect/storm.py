"""A reconnect storm as it was counted: who tried when, and who was back when. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

BUCKET_S = 0.1


@dataclass(frozen=True, slots=True)
class Storm:
    """What one group of clients did after its gateway had died; times in seconds since then.

    Args:
        clients: how many there were.
        attempts: when each attempt to connect was due.
        back: when each client was registered again.
    """

    clients: int
    attempts: Sequence[float]
    back: Sequence[float]

    @property
    def recovered(self) -> bool:
        """Whether everyone came back."""
        return len(self.back) == self.clients

    @property
    def all_back_s(self) -> float:
        """When the last one was back, seconds."""
        return max(self.back)

    @property
    def attempts_each(self) -> float:
        """Attempts for one client, on average."""
        return len(self.attempts) / self.clients

    def counts(self, bucket_s: float = BUCKET_S) -> Counter[int]:
        """Return the number of attempts in each bucket of time that has any."""
        return Counter(int(at_s // bucket_s) for at_s in self.attempts)

    def peak(self, bucket_s: float = BUCKET_S) -> int:
        """Return the attempts in the fullest bucket."""
        return max(self.counts(bucket_s).values(), default=0)

    def back_by(self, at_s: float) -> int:
        """Return how many were registered again by then."""
        return sum(one <= at_s for one in self.back)
