"""The ladder of a lesson: rungs measured on real processes, every message accounted for."""

from dataclasses import replace

from wsgateway.lab import ladder


def test_two_rungs_measured_one_after_another() -> None:
    shape = replace(ladder.SHORT, pairs=4, warmup_s=0.2, duration_s=0.3, load_processes=1)
    climbed = ladder.climb(("plain", "shipped"), shape=shape)
    assert [rung.name for rung, _ in climbed] == ["plain", "shipped"]
    for _, outcome in climbed:
        assert outcome.delivered > 0
        assert not outcome.faults
        assert ladder.message_us(outcome) > 0
