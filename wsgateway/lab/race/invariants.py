"""What must hold, whatever happens in whatever order."""

from collections.abc import Iterator
from enum import StrEnum

from wsgateway.lab.race.record import Op, Reply, State
from wsgateway.lab.race.world import Phase, World, session_of


class Invariant(StrEnum):
    """The five promises of presence.

    `foreign_cleanup`: a cleanup never alters another session's record.
    `newer_replaced`: a refresh never replaces the record of a session that registered later.
    `evicted`: no session is told to go unless another one registered after it.
    `wrong_owner`: when all is quiet, and whoever is connected has refreshed since a record was
    lost, presence names the session that came last: that connected last, or registered last.
    `ghost`: when all is quiet and nobody is connected, there is no record; but one that a failover
    brought back may stay until its time to live ends.
    """

    FOREIGN_CLEANUP = "foreign_cleanup"
    NEWER_REPLACED = "newer_replaced"
    EVICTED = "evicted"
    WRONG_OWNER = "wrong_owner"
    GHOST = "ghost"


TITLES = {
    Invariant.FOREIGN_CLEANUP: ("a cleanup altered another session's record", "清理改了别人的记录"),
    Invariant.NEWER_REPLACED: ("a refresh replaced a newer session", "刷新覆盖了更新的会话"),
    Invariant.EVICTED: ("a live session was told to go", "在线会话被误踢"),
    Invariant.WRONG_OWNER: ("presence names the wrong session", "在线状态指错了会话"),
    Invariant.GHOST: ("the record of nobody stays", "人走了，记录还在"),
}
"""What is said of a world in which one of them does not hold: English, Chinese."""


def broken_by(op: Op, session: int, before: World, after: World, reply: Reply) -> Iterator[str]:
    """Yield the invariants that one operation, done by Redis for `session`, has broken."""
    owner = _owner(before.record)
    if op is Op.CLEANUP and owner not in (None, session) and after.record != before.record:
        yield Invariant.FOREIGN_CLEANUP
    if op is Op.REFRESH:
        order = before.order
        replaced = owner not in (None, session) and _owner(after.record) == session
        if replaced and order.index(owner) > order.index(session):
            yield Invariant.NEWER_REPLACED
        was_there = before.sessions[session].phase is Phase.OPEN
        if reply.superseded and was_there and order[-1] == session:
            yield Invariant.EVICTED


def broken_in(world: World, *, heal: bool = True) -> Iterator[str]:
    """Yield the invariants that do not hold in `world`, if it is quiet.

    Args:
        world: everything in it.
        heal: not quiet until whoever is connected has refreshed, since a record was lost; nor,
            where a replica took over, until the time to live of what it brought back has ended.
    """
    live = []
    for number, session in enumerate(world.sessions):
        if session.queue or session.told or session.phase is Phase.LEFT:
            return
        if session.stale and heal:
            return
        if session.phase is Phase.OPEN:
            live.append(number)
    owner = _owner(world.record)
    if live:
        if owner not in (live[-1], max(live, key=world.order.index)):
            yield Invariant.WRONG_OWNER
    elif owner is not None and not (heal and world.promoted):
        yield Invariant.GHOST


def _owner(record: State) -> int | None:
    return None if record is None else session_of(record.conn)
