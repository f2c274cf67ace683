"""What expiry and failover cost even the shipped design, and for how long; and what Lua may say."""

from collections.abc import Iterator

import pytest

from wsgateway.brokers import RedisServer
from wsgateway.lab import race
from wsgateway.lab.race import DESIGNS, FAULTS, Fault, Invariant
from wsgateway.lab.race.lua import LuaModel, ScriptFailed
from wsgateway.lab.race.record import FAST, SLOW, Call, Op, Record, Reply, State, told

SHIPPED = DESIGNS["conn_id_epoch"]


def operations(found: race.Exploration, broken: Invariant) -> list[str]:
    return [one.operation for one in found.shortest[broken].steps]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with RedisServer() as server:
        yield server.url


def test_an_expiry_is_felt_until_the_next_refresh() -> None:
    at_once = race.explore(SHIPPED, faults=FAULTS - {Fault.FAILOVER}, heal=False)
    assert set(at_once.shortest) == {Invariant.WRONG_OWNER}
    assert operations(at_once, Invariant.WRONG_OWNER) == ["connect", "register", "expire"]


def test_a_failover_is_felt_until_the_next_refresh_and_its_ghost_until_the_ttl() -> None:
    at_once = race.explore(SHIPPED, faults=FAULTS - {Fault.EXPIRY}, heal=False)
    assert set(at_once.shortest) == {Invariant.WRONG_OWNER, Invariant.GHOST}
    assert operations(at_once, Invariant.WRONG_OWNER) == ["connect", "register", "failover"]
    assert operations(at_once, Invariant.GHOST)[-2:] == ["cleanup", "failover"]


def test_without_either_the_shipped_design_is_never_wrong() -> None:
    at_once = race.explore(SHIPPED, faults=FAULTS - {Fault.FAILOVER, Fault.EXPIRY}, heal=False)
    assert at_once.counterexample is None


def test_to_wait_changes_what_is_bad_and_nothing_else() -> None:
    for design in DESIGNS.values():
        patient, at_once = (race.explore(design, heal=heal) for heal in (True, False))
        assert (patient.states, patient.schedules) == (at_once.states, at_once.schedules)
        for name in (Invariant.FOREIGN_CLEANUP, Invariant.NEWER_REPLACED, Invariant.EVICTED):
            assert patient.bad[name] == at_once.bad[name]
        assert patient.bad[Invariant.GHOST] == 0 < at_once.bad[Invariant.GHOST]


def test_a_replica_may_have_missed_more_than_one_change() -> None:
    assert race.explore(SHIPPED, lag=3).bad["any"] == 0
    deeper = [race.explore(SHIPPED, lag=lag).schedules for lag in (1, 2, 3)]
    assert deeper == sorted(set(deeper))


@pytest.mark.parametrize("faults", [FAULTS, FAULTS - {Fault.FAILOVER}, frozenset[Fault]()])
def test_a_cleanup_that_does_nothing_leaves_a_ghost_with_and_without_failover(
    faults: frozenset[Fault],
) -> None:
    def lazy(old: State, call: Call) -> tuple[State, Reply]:
        return (old, Reply()) if call.op is Op.CLEANUP else SHIPPED.model(old, call)

    design = race.Design("lazy", "", "", SHIPPED.scripts, lazy, clocked=False)
    found = race.explore(design, faults=faults)
    assert Invariant.GHOST in found.shortest
    assert operations(found, Invariant.GHOST) == [
        "connect",
        "register",
        "leave",
        "notice",
        "cleanup",
    ]


def test_times_as_people_read_them() -> None:
    assert [told(time) for time in (1, 3, FAST + 1, SLOW + 1)] == ["100", "102", "100+1h", "100-1h"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("'connId', ARGV[2]", "'connId', ARGV[3]", "connId 90000"),
        ("'gatewayId', ARGV[1]", "'gatewayId', ARGV[2]", "gatewayId s1"),
        ("'connId', ARGV[2], ", "", "connId None"),
        ("'timestamp', text", "'timestamp', 'now'", "'now' is not a time"),
        ("{ text, old[1] or '', old[2]", "{ text, old[2] or '', old[1]", "it answers"),
        ("{ text,", "{ 'soon',", "'soon' is not a time"),
        (
            "return {",
            "return { text, ARGV[1], ARGV[2], '' } or {",
            "it answers that gateway g1, s1",
        ),
        ("return {", "redis.call('SET', KEYS[1], 'x') return {", "WRONGTYPE|no time to live"),
    ],
)
def test_a_register_that_writes_nonsense_is_told_so(
    url: str, old: str, new: str, said: str
) -> None:
    source = SHIPPED.scripts[Op.REGISTER]
    assert source.count(old) == 1
    scripts = {**SHIPPED.scripts, Op.REGISTER: source.replace(old, new)}
    model = LuaModel(url, scripts)
    with pytest.raises(ScriptFailed, match=said):
        race.explore(race.Design("odd", "", "", scripts, model, clocked=False))
    model.close()


def test_a_script_that_has_written_and_does_not_end() -> None:
    call = Call(Op.CLEANUP, "g1", "s1", 0, 0, 1)
    with RedisServer() as server:  # one of its own: only stopping it helps
        scripts = {Op.CLEANUP: "redis.call('DEL', KEYS[1]) while true do end"}
        model = LuaModel(server.url, scripts)
        with pytest.raises(ScriptFailed, match="can only be stopped"):
            model(Record("g1", "s1", 1), call)


def test_nothing_is_left_on_the_server() -> None:
    with RedisServer() as server, server.client() as client:
        client.hset("presence:user", "connId", "of somebody else")
        race.explore(race.Design("here", "", "", {}, LuaModel(server.url, SHIPPED.scripts), False))
        assert client.keys() == ["presence:user"]
        assert client.hgetall("presence:user") == {"connId": "of somebody else"}
