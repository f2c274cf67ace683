"""The figures of the page on heartbeats are those of the code and of a run with its seed."""

from pathlib import Path

from wsgateway.lab.timing import CHOSEN, OURS, Link, false_closes_per_day

PAGE = (Path(__file__).parent.parent.parent / "docs" / "04-heartbeat.md").read_text("utf-8")


def test_every_row_of_the_table() -> None:
    for timing in CHOSEN:
        soonest_s, latest_s = timing.bounds_s
        wrong = false_closes_per_day(timing, Link(), seed=1)
        shown = f"{wrong:.2f}" if wrong < 0.1 else f"{wrong:.1f}"
        assert f"| {timing.name} | {soonest_s:g}-{latest_s:g} s | {shown} |" in PAGE


def test_the_arithmetic_in_words() -> None:
    soonest_s, latest_s = OURS.bounds_s
    assert f"{OURS.timeout_s:g} - {OURS.ping_s:g} = {soonest_s:g} s" in PAGE
    assert f"{OURS.timeout_s:g} + {OURS.sweep_s:g} = {latest_s:g} s" in PAGE
