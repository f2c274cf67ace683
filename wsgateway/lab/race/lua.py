"""The same operations by the Lua itself, on a real server; every one that differs runs once."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

from wsgateway.errors import WsGatewayError
from wsgateway.lab.race.designs import Design
from wsgateway.lab.race.explorer import explore
from wsgateway.lab.race.record import Call, Op, Record, Reply, State
from wsgateway.lab.race.world import FAULTS, Fault
from wsgateway.presence.redis import FIELDS

_TTL_MS = 90_000
_TIMEOUT_S = 2.0
# Why: Redis's own clock cannot be set. What it says is later than all the explorer's times, which
# is what `now` means; and to put that clock behind, the explorer's times are moved beyond it.
# Microseconds since 1970 were 1.8e15 in 2026, and Lua's numbers are exact up to 9e15.
# 原因：Redis 自己的时钟调不了。它给出的时间比探索器里的都晚，正好就是“现在”；
# 要让它落后，就把探索器的时间整体挪到它后面。2026 年的微秒数约 1.8e15，
# Lua 的数在 9e15 以内都是精确的。
_FROM_REDIS = 10**12
_BEYOND = 4 * 10**15


Owners = set[tuple[str | None, str | None]]
"""Connection and gateway, of whom an operation may speak."""


class ScriptFailed(WsGatewayError):
    """A script does not run, or leaves or answers what is no record of anybody here."""


class LuaModel:
    """A `Model` that asks a server; what it was asked once it remembers.

    Args:
        url: of a Redis server.
        scripts: the Lua source of each operation.
    """

    def __init__(self, url: str, scripts: Mapping[Op, str]) -> None:
        options: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "decode_responses": True}
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT_S, **options)
        # Why opened beforehand: while a script runs on and on, the server greets nobody; and it
        # hears SCRIPT KILL only after this threshold.
        # 原因：要提前连好。脚本一直在跑时，服务器不理会新连接；
        # 而且要过了这个阈值，它才肯听 SCRIPT KILL。
        self._killer = Redis.from_url(url, single_connection_client=True, **options)
        self._killer.config_set("lua-time-limit", round(_TIMEOUT_S * 500))
        self._scripts = scripts
        # Why: a class may share one server; each explorer has a key of its own.
        # 原因：一个班可能共用一台服务器，每个探索器各用各的键。
        self._key = f"race:{token_hex(8)}"
        self._known: dict[tuple[State, Call], tuple[State, Reply]] = {}

    def __len__(self) -> int:
        """Operations that were run."""
        return len(self._known)

    def __call__(self, old: State, call: Call) -> tuple[State, Reply]:
        """Return what the script makes of a record, and what it answers.

        Raises:
            ScriptFailed: it does not run, or leaves a record without a time to live, or one that
                names neither the caller nor whoever was there.
        """
        if (old, call) not in self._known:
            try:
                self._known[old, call] = self._run(old, call)
            except ResponseError as error:
                raise ScriptFailed(f"{call.op}: {error}") from None
            except RedisTimeout:
                self._redis.connection_pool.disconnect()
                raise ScriptFailed(f"{call.op}: it does not end{self._kill()}") from None
            except RedisError as error:
                raise ScriptFailed(f"{call.op}: {error}") from error
        return self._known[old, call]

    def close(self) -> None:
        """Disconnect."""
        self._redis.close()
        self._killer.close()

    def _kill(self) -> str:
        """Stop the script that runs; return what is to be said when that is not possible."""
        try:
            self._killer.script_kill()
        except ResponseError:  # UNKILLABLE
            return ", and it has written: this Redis can only be stopped"
        return ""

    def _run(self, old: State, call: Call) -> tuple[State, Reply]:
        moved = _BEYOND if call.server < 0 else 0
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(self._key)
        if old is not None:
            pipeline.hset(self._key, mapping={"gatewayId": old.gateway, "connId": old.conn})
            if old.time:  # a design may keep none
                pipeline.hset(self._key, "timestamp", str(old.time + moved))
            pipeline.pexpire(self._key, _TTL_MS)
        pipeline.eval(self._scripts[call.op], 1, self._key, *_arguments(call, moved))
        pipeline.hmget(self._key, *FIELDS)
        pipeline.pttl(self._key)
        pipeline.delete(self._key)
        *_, answer, fields, left_ms, _ = pipeline.execute()
        if left_ms == -1:
            raise ScriptFailed(f"{call.op}: the record has no time to live: PEXPIRE is missing")
        there: Owners = {(old.conn, old.gateway)} if old else set()
        known = there | {(call.conn, call.gateway)}
        return _record(fields, call, known), _reply(answer, call, there)


def _arguments(call: Call, moved: int) -> tuple[str | int, ...]:
    clock = call.clock + moved
    if call.op is Op.REGISTER:
        return call.gateway, call.conn, _TTL_MS, clock
    if call.op is Op.REFRESH:
        return call.gateway, call.conn, call.epoch + moved, _TTL_MS, clock
    return call.conn, clock


def _record(fields: list[str | None], call: Call, known: Owners) -> State:
    gateway, conn, time = fields
    if conn is None and gateway is None:
        return None
    if (conn, gateway) not in known:
        raise ScriptFailed(f"{call.op}: the record says connId {conn}, gatewayId {gateway}")
    return Record(str(gateway), str(conn), _time(time, call))


def _reply(answer: Any, call: Call, there: Owners) -> Reply:
    if call.op is Op.REGISTER and isinstance(answer, list) and len(answer) >= 3:
        epoch, gateway, conn, *_ = answer
        if conn and (conn, gateway) not in there:
            raise ScriptFailed(f"{call.op}: it answers that gateway {gateway}, {conn} went")
        return Reply(epoch=_time(epoch, call), displaced=conn or "")
    return Reply(superseded=answer == "superseded")


def _time(text: Any, call: Call) -> int:
    """Return a time of the server as the explorer counts."""
    try:
        time = int(float(text or 0))
    except (ValueError, TypeError):
        raise ScriptFailed(f"{call.op}: {text!r} is not a time") from None
    if time < _FROM_REDIS:
        return time
    return time - _BEYOND if time >= _BEYOND // 2 else call.server


def design_from_lua(
    name: str, url: str, *, register: str, refresh: str, cleanup: str, clocked: bool = True
) -> Design:
    """Return a design that is explored on a real server, by its Lua.

    Args:
        name: of the design.
        url: of a Redis server.
        register, refresh, cleanup: Lua sources; KEYS and ARGV as in the files under `designs/`.
        clocked: they may read the gateways' clocks, so skew is explored too.
    """
    scripts = {Op.REGISTER: register, Op.REFRESH: refresh, Op.CLEANUP: cleanup}
    return Design(name, name, name, scripts, LuaModel(url, scripts), clocked)


def differences(
    design: Design, url: str, *, sessions: int = 2, faults: frozenset[Fault] = FAULTS
) -> tuple[int, list[str]]:
    """Compare a design's pure model with its Lua, for every operation that exploring it meets.

    Returns:
        How many were compared, and a line for each that differs.
    """
    lua, lines = LuaModel(url, design.scripts), list[str]()

    def both(old: State, call: Call) -> tuple[State, Reply]:
        seen = len(lua)
        ours, theirs = design.model(old, call), lua(old, call)
        if len(lua) > seen and ours != theirs:
            lines.append(f"{old} {call}: model {ours}, Lua {theirs}")
        return ours

    compared = Design(
        design.name, design.title_en, design.title_zh, design.scripts, both, design.clocked
    )
    try:
        explore(compared, sessions, faults)
        return len(lua), lines
    finally:
        lua.close()
