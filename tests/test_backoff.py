"""Full jitter stays within its bounds and spreads over them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.backoff import full_jitter

SECONDS = st.floats(1e-3, 1e3)


@given(st.integers(0, 100_000), SECONDS, SECONDS, st.integers(0, 2**32))
def test_never_below_zero_nor_above_the_smaller_bound(
    attempt: int, base_s: float, cap_s: float, seed: int
) -> None:
    delay_s = full_jitter(attempt, base_s=base_s, cap_s=cap_s, rng=random.Random(seed))
    assert 0 <= delay_s <= cap_s
    if attempt < 60:
        assert delay_s <= base_s * 2**attempt


@pytest.mark.parametrize(("attempt", "bound_s"), [(0, 0.1), (3, 0.8), (20, 5.0)])
def test_the_whole_range_is_used(attempt: int, bound_s: float) -> None:
    rng = random.Random(7)
    delays = [full_jitter(attempt, base_s=0.1, cap_s=5, rng=rng) for _ in range(2000)]
    assert min(delays) < 0.05 * bound_s
    assert 0.95 * bound_s < max(delays) <= bound_s
    assert sum(delays) / len(delays) == pytest.approx(bound_s / 2, rel=0.1)


def test_a_seed_replays_the_run() -> None:
    def run() -> list[float]:
        rng = random.Random(42)
        return [full_jitter(n, base_s=0.1, cap_s=5, rng=rng) for n in range(9)]

    assert run() == run()


@pytest.mark.parametrize(("attempt", "base_s", "cap_s"), [(-1, 1, 1), (0, 0, 1), (0, 1, 0)])
def test_nonsense_is_refused(attempt: int, base_s: float, cap_s: float) -> None:
    with pytest.raises(ValueError, match="must be >= 0"):
        full_jitter(attempt, base_s=base_s, cap_s=cap_s, rng=random.Random())
