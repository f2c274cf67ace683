"""Each weaker design's shortest ways to fail, step by step; and the Lua on any record at all."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgateway.brokers import RedisServer
from wsgateway.lab import race
from wsgateway.lab.race import DESIGNS, FAULTS, Fault, Invariant, plots
from wsgateway.lab.race.lua import LuaModel
from wsgateway.lab.race.record import Call, Op, Record

LATE_REFRESH = [
    "s1@g1 connect",
    "s1@g1 register",
    "s1@g1 beat",
    "s2@g2 connect",
    "s2@g2 register",
    "s1@g1 refresh",
]
SHORTEST = {
    ("blind", Invariant.NEWER_REPLACED): LATE_REFRESH,
    ("blind", Invariant.WRONG_OWNER): LATE_REFRESH,
    ("blind", Invariant.FOREIGN_CLEANUP): [
        "s1@g1 connect",
        "s1@g1 register",
        "s1@g1 leave",
        "s1@g1 notice",
        "s2@g2 connect",
        "s2@g2 register",
        "s1@g1 cleanup",
    ],
    ("timestamp", Invariant.WRONG_OWNER): [
        "s1@g1 connect",
        "s1@g1 register",
        "s2@g2 connect",
        "s2@g2 register",
    ],
    ("timestamp", Invariant.NEWER_REPLACED): [
        "s1@g1 connect",
        "s1@g1 register",
        "s2@g2 connect",
        "s1@g1 beat",
        "s2@g2 register",
        "s1@g1 refresh",
    ],
    ("timestamp", Invariant.FOREIGN_CLEANUP): [
        "s1@g1 connect",
        "s1@g1 register",
        "s1@g1 leave",
        "s2@g2 connect",
        "s1@g1 notice",
        "s2@g2 register",
        "s1@g1 cleanup",
    ],
    ("conn_id", Invariant.EVICTED): [
        "s1@g1 connect",
        "s1@g1 register",
        "s2@g2 connect",
        "s2@g2 register",
        "s2@g2 beat",
        "Redis failover",
        "s2@g2 refresh",
    ],
}


def test_the_shortest_ways_to_fail_are_known() -> None:
    found = {
        (design.name, name): trace
        for design in DESIGNS.values()
        for name, trace in race.explore(design).shortest.items()
    }
    told = {
        key: [f"{one.actor} {one.operation}" for one in trace.steps] for key, trace in found.items()
    }
    assert told == SHORTEST
    for trace in found.values():
        assert trace.at == len(trace.steps) - 1, "a shortest trace ends where it breaks"


def test_a_story_may_go_on_after_it_broke() -> None:
    told = ", ".join(step.replace("@g1", "").replace("@g2", "") for step in LATE_REFRESH)
    trace = race.story(DESIGNS["blind"], f"{told}, s2 beat, s2 refresh")
    assert (trace.broken, trace.at) == (Invariant.NEWER_REPLACED, 5)
    kept = race.story(DESIGNS["conn_id_epoch"], told)
    assert (kept.broken, kept.at) == ("", -1)


def test_a_refresh_that_is_told_to_go_sends_its_cleanup() -> None:
    told = "s1 connect, s1 register, s1 beat, s2 connect, s2 register, s1 refresh"
    trace = race.story(DESIGNS["conn_id_epoch"], f"{told}, s1 cleanup, s2 leave")
    assert [one.superseded for one in trace.steps] == [False] * 5 + [True] + [False] * 2
    assert (trace.broken, [trace.connected(session) for session in (0, 1)]) == ("", [6, 8])
    assert plots.space_time(trace).png.startswith(b"\x89PNG")


def test_the_server_clock_is_the_one_assumption() -> None:
    one = race.explore(DESIGNS["conn_id_epoch"], faults={*FAULTS, Fault.SERVER_CLOCK})
    assert set(one.shortest) == {
        Invariant.NEWER_REPLACED,
        Invariant.WRONG_OWNER,
        Invariant.EVICTED,
    }
    assert "T=100-1h" in str(one.counterexample)


@pytest.fixture(scope="module")
def models() -> Iterator[dict[str, LuaModel]]:
    with RedisServer() as server:
        made = {name: LuaModel(server.url, design.scripts) for name, design in DESIGNS.items()}
        yield made
        for model in made.values():
            model.close()


TIMES = st.integers(1, 2_000_000)
OWNERS = st.sampled_from([("g1", "s1"), ("g2", "s2"), ("g1", "s3")])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    owner=st.none() | OWNERS,
    caller=OWNERS,
    op=st.sampled_from(Op),
    times=st.tuples(TIMES, TIMES, TIMES),
)
def test_models_and_lua_agree_on_records_that_no_schedule_makes(
    models: dict[str, LuaModel],
    owner: tuple[str, str] | None,
    caller: tuple[str, str],
    op: Op,
    times: tuple[int, int, int],
) -> None:
    stored, epoch, clock = times
    for name, design in DESIGNS.items():
        time = 0 if name == "conn_id" else stored
        old = None if owner is None else Record(*owner, time)
        call = Call(op, *caller, epoch, clock, server=max(times) + 1)
        assert models[name](old, call) == design.model(old, call), name
