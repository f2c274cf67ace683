"""Four designs of presence, from the simplest to the one that ships: Lua files, and a pure model.

A model does what the Lua does, on a `Record`; `wsgateway.lab.race.lua` runs the Lua itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsgateway.lab.race.record import Call, Op, Record, Reply, State
from wsgateway.presence import redis as shipped

Model = Callable[[State, Call], tuple[State, Reply]]
"""What one operation makes of a record, and what it answers."""

_WEAKER = Path(__file__).parent / "designs"
_SHIPPED = Path(shipped.__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Design:
    """One way to keep presence.

    Args:
        name: as the command line has it.
        title_en, title_zh: for people.
        scripts: the Lua source of each operation.
        model: what they do.
        clocked: it reads the gateways' clocks; if not, their skew cannot matter.
    """

    name: str
    title_en: str
    title_zh: str
    scripts: Mapping[Op, str]
    model: Model
    clocked: bool


def _blind(old: State, call: Call) -> tuple[State, Reply]:
    if call.op is Op.CLEANUP:
        return None, Reply()
    return Record(call.gateway, call.conn, call.clock), Reply()


def _timestamp(old: State, call: Call) -> tuple[State, Reply]:
    if old is not None and old.time > call.clock:
        return old, Reply()
    return _blind(old, call)


def _conn_id(old: State, call: Call) -> tuple[State, Reply]:
    mine = old is not None and old.conn == call.conn
    if call.op is Op.CLEANUP:
        return None if mine else old, Reply()
    record = Record(call.gateway, call.conn, 0)
    if call.op is Op.REGISTER:
        return record, Reply(displaced=old.conn if old else "")
    if old is None or mine:
        return record, Reply()
    return old, Reply(superseded=True)


def _conn_id_epoch(old: State, call: Call) -> tuple[State, Reply]:
    mine = old is not None and old.conn == call.conn
    if call.op is Op.CLEANUP:
        return None if mine else old, Reply()
    if call.op is Op.REGISTER:
        epoch = max(old.time + 1, call.server) if old else call.server
        return Record(call.gateway, call.conn, epoch), Reply(epoch, old.conn if old else "")
    if mine:
        return old, Reply()
    if old is not None and old.time > call.epoch:
        return old, Reply(superseded=True)
    return Record(call.gateway, call.conn, call.epoch), Reply()


def _sources(directory: Path, cleanup: str = "cleanup") -> Mapping[Op, str]:
    files = {Op.REGISTER: "register", Op.REFRESH: "refresh", Op.CLEANUP: cleanup}
    return {op: (directory / f"{name}.lua").read_text("utf-8") for op, name in files.items()}


DESIGNS = {
    design.name: design
    for design in (
        Design("blind", "blind write", "盲写", _sources(_WEAKER / "blind"), _blind, False),
        Design(
            "timestamp",
            "timestamp CAS",
            "比时间戳的 CAS",
            _sources(_WEAKER / "timestamp"),
            _timestamp,
            True,
        ),
        Design(
            "conn_id",
            "compare connection",
            "比连接 id",
            _sources(_WEAKER / "conn_id"),
            _conn_id,
            False,
        ),
        Design(
            "conn_id_epoch",
            "connection + epoch",
            "比连接 id，再比纪元",
            _sources(_SHIPPED, "unregister"),
            _conn_id_epoch,
            False,
        ),
    )
}
"""By name, the weakest first; the last is the Lua that the gateway runs."""
