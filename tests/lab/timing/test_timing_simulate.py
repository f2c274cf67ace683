"""Deaths and false closes: bounds hold, haste costs, and a seed replays."""

import pytest

from wsgateway.lab.timing import (
    CHOSEN,
    OURS,
    Link,
    Timing,
    detections_s,
    false_closes_per_day,
    frontier,
)

SMOOTH = Link(outages_per_h=1, outage_s=15, jitter_s=0)


def test_what_real_systems_chose() -> None:
    assert {one.name: one.bounds_s for one in CHOSEN} == {
        "Centrifugo": (8, 33),
        "Socket.IO": (20, 45),
        "Phoenix": (30, 60),
        "wsgateway": (60, 150),
    }


@pytest.mark.parametrize("timing", CHOSEN, ids=lambda timing: timing.name)
def test_every_death_is_seen_within_the_bounds_and_they_are_reached(timing: Timing) -> None:
    found = detections_s(timing, SMOOTH, clients=100_000)
    soonest_s, latest_s = timing.bounds_s
    assert soonest_s <= found[0] <= found[-1] <= latest_s
    reach_s = (latest_s - soonest_s) / 20
    assert found[0] < soonest_s + reach_s
    assert found[-1] > latest_s - reach_s


def test_patience_pays_and_a_perfect_link_needs_none() -> None:
    wrong = [false_closes_per_day(one, SMOOTH) for one in CHOSEN]
    assert wrong == sorted(wrong, reverse=True)
    assert false_closes_per_day(CHOSEN[0], Link(outages_per_h=0, outage_s=15)) == 0


def test_only_outages_that_hide_a_heartbeat_count() -> None:
    """Shorter than the time to the next one, an outage is never noticed."""
    brief = Link(outages_per_h=10, outage_s=0.01, jitter_s=0)
    assert false_closes_per_day(Timing("impatient", 10, 20, 1), brief) == 0


def test_a_seed_replays() -> None:
    assert (detections_s(OURS, SMOOTH, seed=3) == detections_s(OURS, SMOOTH, seed=3)).all()
    assert (detections_s(OURS, SMOOTH, seed=3) != detections_s(OURS, SMOOTH, seed=4)).any()
    assert frontier(SMOOTH, clients=500, seed=5) == frontier(SMOOTH, clients=500, seed=5)


def test_the_frontier_slopes() -> None:
    found = sorted(frontier(SMOOTH), key=lambda one: one[1])
    quick, slow = found[: len(found) // 3], found[-len(found) // 3 :]
    assert min(wrong for _, _, wrong in quick) > max(wrong for _, _, wrong in slow)
