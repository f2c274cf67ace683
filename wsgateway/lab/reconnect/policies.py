"""When a client that lost its gateway tries again: four schedules. Pure: randomness is given.

The bounds are those of every schedule here: the first wait, and the longest, in seconds.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wsgateway.backoff import full_jitter

# Why: the package's client begins at 0.2 s; a lesson needs waves that the eye can tell apart.
# 原因：包里的客户端从 0.2 s 起步；课程里的波要隔开些，肉眼才分得清。
BASE_S = 1.0
CAP_S = 4.0
_ENOUGH = 20  # attempts: more than an outage of this lesson sees, unless one does not wait at all

Delay = Callable[[int, random.Random], float]


@dataclass(frozen=True, slots=True)
class Policy:
    """One schedule.

    Args:
        name: what it is called here.
        zh: its Chinese name.
        delay_s: attempt (from 0) and randomness -> seconds to wait before it.
    """

    name: str
    zh: str
    delay_s: Delay

    def waits(self, clients: int, seed: int) -> list[list[float]]:
        """Return the waits of each of some clients, seconds: the same seed, the same waits."""
        rng = random.Random(f"{self.name} {seed}")
        return [[round(self.delay_s(n, rng), 4) for n in range(_ENOUGH)] for _ in range(clients)]


def jittered(share: float, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> Delay:
    """Return an exponential schedule of which a share is random.

    Args:
        share: 0 waits the whole bound, 1 is full jitter, 0.5 the "equal jitter" of the same
            article (see `wsgateway.backoff`).
        base_s: bound of the first wait, seconds.
        cap_s: no wait is longer, seconds.

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share}: must be between 0 and 1")

    def delay_s(attempt: int, rng: random.Random) -> float:
        bound_s = exponential_s(attempt, base_s=base_s, cap_s=cap_s)
        drawn_s = full_jitter(attempt, base_s=base_s, cap_s=cap_s, rng=rng)
        return (1 - share) * bound_s + share * drawn_s

    return delay_s


def exponential_s(attempt: int, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """Return a wait that doubles with each attempt, in seconds: the same for every client."""
    return float(min(cap_s, base_s * 2.0 ** min(attempt, 60)))


POLICIES: Mapping[str, Policy] = {
    one.name: one
    for one in (
        Policy("none", "立即", lambda attempt, rng: 0.0),
        Policy("fixed", "固定", lambda attempt, rng: BASE_S),
        Policy("exponential", "指数", jittered(0.0)),
        Policy("full jitter", "全抖动", jittered(1.0)),
    )
}
