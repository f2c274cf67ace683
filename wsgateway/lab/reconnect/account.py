"""What was written down when gateways died under real clients. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsgateway.lab.reconnect.storm import Storm


@dataclass(frozen=True, slots=True)
class Look:
    """Presence at one moment, group by group.

    Args:
        at_s: when Redis was asked, seconds after the gateways died.
        live: group -> users whose record names a gateway that lives.
        dead: group -> users whose record names one that is dead; the others have no record.
    """

    at_s: float
    live: Mapping[str, int]
    dead: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """One death, and how everyone came back.

    Args:
        broker: what held presence.
        seed: of the clients' waits.
        up_s: when the replacement accepted connections, seconds after the death; None: the
            survivor was there all the time.
        storms: group -> what its clients did.
        codes: group -> close code -> how many lost their gateway with it.
        looks: presence over time.
    """

    broker: str
    seed: int
    up_s: float | None
    storms: Mapping[str, Storm]
    codes: Mapping[str, Mapping[str, int]]
    looks: Sequence[Look]

    def healed_s(self, group: str) -> float:
        """Return when every record of a group named a live gateway again, for good, seconds.

        Raises:
            ValueError: not all do even now.
        """
        wanted = self.storms[group].clients
        wrong = [n for n, look in enumerate(self.looks) if look.live[group] < wanted]
        if wrong and wrong[-1] + 1 == len(self.looks):
            raise ValueError(f"{group}: presence has not healed")
        return self.looks[wrong[-1] + 1].at_s if wrong else 0.0

    def most_dead(self, group: str) -> int:
        """Return the largest number of records that named a dead gateway at one moment."""
        return max(look.dead[group] for look in self.looks)
