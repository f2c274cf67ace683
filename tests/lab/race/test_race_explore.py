"""The explorer: what it finds in each design, and that it misses nothing."""

from collections import Counter

import pytest

from wsgateway.lab import race
from wsgateway.lab.race.explorer import Exploration, explore
from wsgateway.lab.race.invariants import Invariant
from wsgateway.lab.race.step import step
from wsgateway.lab.race.world import FAULTS, Fault, Session, World, moves, ranked

EVERYTHING = frozenset(Fault)


@pytest.fixture(scope="module")
def found() -> dict[str, Exploration]:
    return {name: explore(design) for name, design in race.DESIGNS.items()}


def told(exploration: Exploration, name: Invariant) -> list[str]:
    return [f"{one.actor} {one.operation}" for one in exploration.shortest[name].steps]


def test_the_shipped_design_keeps_every_promise(found: dict[str, Exploration]) -> None:
    shipped = found["conn_id_epoch"]
    assert (shipped.counterexample, shipped.bad["any"]) == (None, 0)
    assert (shipped.states, shipped.transitions, shipped.schedules) == (1_861, 6_093, 3_443_196)


def test_so_it_does_when_each_session_refreshes_twice() -> None:
    twice = explore(race.DESIGNS["conn_id_epoch"], beats=2)
    assert (twice.bad["any"], twice.schedules) == (0, 470_258_074)


def test_what_breaks_where(found: dict[str, Exploration]) -> None:
    broken = {name: set(one.shortest) for name, one in found.items()}
    both = {Invariant.FOREIGN_CLEANUP, Invariant.NEWER_REPLACED, Invariant.WRONG_OWNER}
    assert broken == {
        "blind": both,
        "timestamp": both,
        "conn_id": {Invariant.EVICTED},
        "conn_id_epoch": set(),
    }
    for one in found.values():
        worst = max((one.bad[name] for name in one.shortest), default=0)
        assert worst <= one.bad["any"] < one.schedules


def test_the_late_cleanup_by_the_seed_of_the_design() -> None:
    """T=100, T=101, and a cleanup of T=102 that wins because it is newer."""
    one = explore(race.DESIGNS["timestamp"], faults=FAULTS - {Fault.SKEW})
    assert told(one, Invariant.FOREIGN_CLEANUP) == [
        "s1@g1 connect",
        "s1@g1 register",
        "s1@g1 leave",
        "s2@g2 connect",
        "s1@g1 notice",
        "s2@g2 register",
        "s1@g1 cleanup",
    ]
    text = str(one.shortest[Invariant.FOREIGN_CLEANUP])
    assert "s1@g1 T=100" in text
    assert "s2@g2 T=101" in text
    assert "T=102" in text
    assert text.splitlines()[-1].startswith("broken: a cleanup altered another session's record")


def test_skew_alone_is_enough_against_timestamps(found: dict[str, Exploration]) -> None:
    trace = found["timestamp"].counterexample
    assert trace is not None
    assert trace.start.fast == "g1"
    assert [one.operation for one in trace.steps] == ["connect", "register"] * 2
    assert str(trace).startswith("the clock of g1 is an hour fast")
    alone = explore(race.DESIGNS["timestamp"], faults=[Fault.SKEW])
    assert alone.counterexample is not None
    assert alone.counterexample.steps == trace.steps


def test_a_failover_alone_is_enough_against_connections(found: dict[str, Exploration]) -> None:
    assert told(found["conn_id"], Invariant.EVICTED)[-3:] == [
        "s2@g2 beat",
        "Redis failover",
        "s2@g2 refresh",
    ]
    without = explore(race.DESIGNS["conn_id"], faults=FAULTS - {Fault.FAILOVER, Fault.EXPIRY})
    assert without.counterexample is None


def test_where_the_shipped_design_ends() -> None:
    """A replica that takes over and whose clock is behind names an epoch that is too small."""
    one = explore(race.DESIGNS["conn_id_epoch"], faults=EVERYTHING)
    assert one.counterexample is not None
    assert [step.operation for step in one.counterexample.steps][-3:] == [
        "failover",
        "register",
        "refresh",
    ]


@pytest.mark.parametrize("name", race.DESIGNS)
@pytest.mark.parametrize("faults", [frozenset(), frozenset({Fault.DELAY}), FAULTS - {Fault.SKEW}])
def test_hashing_loses_nothing(name: str, faults: frozenset[Fault]) -> None:
    """Every schedule walked one by one, without hashing, in a world small enough for that."""
    design = race.DESIGNS[name]
    totals: Counter[str] = Counter()

    def walk(world: World, broken: frozenset[str]) -> None:
        ways = list(moves(world, faults))
        if not ways:
            totals["schedules"] += 1
            totals["any"] += bool(broken)
            totals.update(broken)
        for move in ways:
            after, now = step(world, move, design.model, clocked=design.clocked)
            walk(after, broken | set(now))

    walk(World((Session(), Session()), faults=faults), frozenset())
    one = explore(design, faults=faults, beats=0)
    assert one.schedules == totals.pop("schedules")
    assert +one.bad == totals


def test_only_the_order_of_times_matters() -> None:
    world = World((Session(epoch=70), Session(epoch=7)))
    assert ranked(world).sessions == (Session(epoch=2), Session(epoch=1))
    assert ranked(ranked(world)) is not world
    assert ranked(ranked(world)) == ranked(world)


def test_too_large_a_world_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgateway.lab.race.explorer.MAX_STATES", 100)
    with pytest.raises(ValueError, match="fewer sessions"):
        explore(race.DESIGNS["blind"])
