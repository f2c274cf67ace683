"""The models do what the Lua does, on a real server; and what is wrong with Lua is said."""

import random
from collections.abc import Iterator

import pytest

from wsgateway.brokers import RedisServer
from wsgateway.lab import race
from wsgateway.lab.race.designs import DESIGNS
from wsgateway.lab.race.lua import LuaModel, ScriptFailed, design_from_lua, differences
from wsgateway.lab.race.record import Op
from wsgateway.lab.race.step import step
from wsgateway.lab.race.world import FAULTS, Fault, Session, World, moves, ranked

SHIPPED = DESIGNS["conn_id_epoch"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with RedisServer() as server:
        yield server.url


def mine(url: str, **scripts: str) -> race.Design:
    ours = {op.value: source for op, source in SHIPPED.scripts.items()}
    return design_from_lua("mine", url, **{**ours, **scripts})


@pytest.mark.parametrize("name", DESIGNS)
def test_every_operation_that_exploring_meets_is_the_same(url: str, name: str) -> None:
    count, lines = differences(DESIGNS[name], url, faults=frozenset(Fault))
    assert not lines
    assert count > 20


def test_a_model_that_differs_is_noticed(url: str) -> None:
    wrong = race.Design(
        "wrong", "", "", DESIGNS["conn_id"].scripts, DESIGNS["blind"].model, clocked=False
    )
    assert differences(wrong, url)[1]


def test_the_shipped_lua_itself_survives(url: str) -> None:
    found = race.explore(mine(url))
    assert found.bad["any"] == 0
    assert found.schedules > 1_000_000


@pytest.mark.parametrize("seed", range(5))
def test_random_walks_of_three_sessions(url: str, seed: int) -> None:
    rng, model = random.Random(seed), LuaModel(url, SHIPPED.scripts)
    for _ in range(20):
        world = World(tuple(Session(beats=3) for _ in range(3)), faults=FAULTS)
        while ways := list(moves(world, FAULTS)):
            move = rng.choice(ways)
            after, broken = step(world, move, SHIPPED.model, clocked=False)
            assert step(world, move, model, clocked=False) == (after, broken)
            assert not broken
            world = ranked(after)
    model.close()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("this is no Lua", "Error compiling"),
        ("return redis.call('HSET', KEYS[1])", "(?i)wrong number"),
        ("while true do end", "does not end"),
        ("redis.call('HSET', KEYS[1], 'connId', ARGV[2]) return 'x'", "PEXPIRE is missing"),
    ],
)
def test_lua_that_cannot_be_used_says_why(url: str, source: str, said: str) -> None:
    for _ in range(2):  # and the server is there for the next
        with pytest.raises(ScriptFailed, match=said):
            race.explore(mine(url, refresh=source))


def test_a_weakness_of_ones_own_is_found(url: str) -> None:
    found = race.explore(mine(url, cleanup="return redis.call('DEL', KEYS[1])"))
    assert found.counterexample is not None
    assert found.counterexample.steps[-1].operation == Op.CLEANUP
