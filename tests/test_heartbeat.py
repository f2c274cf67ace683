"""Deadlines are arithmetic on `now`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.heartbeat import detection_bounds_s, is_silent, refresh_due, sweep_is_late


@pytest.mark.parametrize(("now_s", "silent"), [(100, False), (190, False), (190.001, True)])
def test_silence_begins_after_the_timeout_not_at_it(now_s: float, silent: bool) -> None:
    assert is_silent(100, now_s, 90) is silent


@pytest.mark.parametrize(("now_s", "due"), [(129.9, False), (130, True), (500, True)])
def test_a_refresh_is_due_once_per_ping_interval(now_s: float, due: bool) -> None:
    assert refresh_due(100, now_s, 30) is due


@pytest.mark.parametrize(("now_s", "late"), [(100, False), (130, False), (130.1, True)])
def test_a_sweep_that_slept_through_a_ping_is_late(now_s: float, late: bool) -> None:
    assert sweep_is_late(100, now_s, 30) is late


def test_the_documented_bounds_of_detection() -> None:
    assert detection_bounds_s(30, 90, 60) == (60, 150)


@given(
    death_s=st.floats(0, 1000),
    sweep_offset_s=st.floats(0, 60),
    late_ping_s=st.floats(0, 30),
)
def test_detection_keeps_within_the_bounds(
    death_s: float, sweep_offset_s: float, late_ping_s: float
) -> None:
    """A client pings every 30 s and dies at any moment; sweeps come every 60 s from any offset."""
    last_seen_s = death_s - late_ping_s
    sweeps = (sweep_offset_s + 60 * n for n in range(-1, 100))
    found_s = next(at for at in sweeps if at > death_s and is_silent(last_seen_s, at, 90))
    soonest_s, latest_s = detection_bounds_s(30, 90, 60)
    assert soonest_s - 1e-6 <= found_s - death_s <= latest_s + 1e-6
