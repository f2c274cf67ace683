"""Traces: told as text, walked from text, drawn."""

import subprocess
import sys

import pytest

from wsgateway.lab import race
from wsgateway.lab.race import plots
from wsgateway.lab.race.lattice import STAGES, path
from wsgateway.lab.race.trace import story

SEED = "s1 connect, s1 register, s2 connect, s2 register, s1 leave, s1 notice, s1 cleanup"


def test_a_story_is_walked_and_told() -> None:
    trace = story(race.DESIGNS["timestamp"], SEED)
    assert trace.broken == race.Invariant.FOREIGN_CLEANUP
    last = trace.steps[-1]
    assert (last.actor, last.operation, last.after) == ("s1@g1", "cleanup", None)
    assert last.before is not None
    assert str(last.before) == "s2@g2 T=101"
    assert story(race.DESIGNS["conn_id"], SEED).broken == ""


def test_skew_in_a_story() -> None:
    told = "s1 connect, s1 register, s2 connect, s2 register"
    assert story(race.DESIGNS["timestamp"], told).broken == ""
    trace = story(race.DESIGNS["timestamp"], told, fast="g1")
    assert trace.broken == race.Invariant.WRONG_OWNER


@pytest.mark.parametrize(
    "impossible", ["s1 register", "s2 connect", "s1 connect, s1 refresh", "expire", "s1 told"]
)
def test_what_cannot_happen_is_refused(impossible: str) -> None:
    with pytest.raises(ValueError, match="cannot happen"):
        story(race.DESIGNS["blind"], impossible)


def test_a_counterexample_replays_to_itself() -> None:
    for design in race.DESIGNS.values():
        for name, trace in race.explore(design).shortest.items():
            again = race.replay(design, trace.start, trace.moves, name)
            assert again == trace
            assert len(trace.worlds) == len(trace.steps) + 1


def test_the_lattice_holds_every_situation_and_the_trace_ends_where_it_breaks() -> None:
    found = race.explore(race.DESIGNS["timestamp"])
    assert sum(place.situations for place in found.lattice.values()) == found.states
    assert found.counterexample is not None
    way = path(found.counterexample)
    assert way[0] == (0, 0)
    assert found.lattice[way[-1]].broken
    assert all(0 <= x < len(STAGES) and 0 <= y < len(STAGES) for x, y in found.lattice)
    assert race.explore(race.DESIGNS["conn_id"], sessions=1).lattice == {}


def test_pictures() -> None:
    found = {name: race.explore(design) for name, design in race.DESIGNS.items()}
    trace = found["timestamp"].counterexample
    assert trace is not None
    for picture in (plots.outcomes(found), plots.space_time(trace), plots.lattice(found["blind"])):
        assert picture.png.startswith(b"\x89PNG")
        assert picture.alt
    assert plots.space_time(story(race.DESIGNS["conn_id"], SEED)).png
    assert plots.lattice(found["conn_id_epoch"]).png


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsgateway.lab.race", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_as_a_command() -> None:
    done = run("--design", "timestamp", "--without", "skew")
    assert done.returncode == 1
    assert not done.stderr
    assert "broken: presence names the wrong session" in done.stdout
    done = run("--design", "conn_id_epoch")
    assert done.returncode == 0
    assert "3,443,196 schedules" in done.stdout
    done = run("--design", "conn_id_epoch", "--check")
    assert done.returncode == 0
    assert "0 differ" in done.stdout
    done = run("--without", "nonsense")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
