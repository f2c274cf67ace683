"""How long to wait before the next attempt. Pure: the randomness is an argument."""

import random


def full_jitter(attempt: int, *, base_s: float, cap_s: float, rng: random.Random) -> float:
    """Return a delay in seconds, uniform between 0 and min(cap, base * 2**attempt).

    "Full jitter" as named and measured in "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015: of the jittered schedules it finishes with the fewest calls.

    Args:
        attempt: 0 for the first retry.
        base_s: upper bound of the first delay, seconds.
        cap_s: no delay is longer, seconds.
        rng: source of randomness; seed it to replay a run.

    Raises:
        ValueError: a negative attempt or a bound that is not positive.
    """
    if attempt < 0 or base_s <= 0 or cap_s <= 0:
        raise ValueError("attempt must be >= 0 and base_s, cap_s > 0")
    # Why: 2.0**attempt overflows a float after 1,023 attempts; the cap is reached long before.
    # 原因：attempt 超过 1023 时 2.0**attempt 会溢出，而上限早就到了，故先截断指数。
    return rng.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt, 60)))
