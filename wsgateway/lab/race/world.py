"""The world the explorer walks through: sessions of one user, one record, what may happen next.

Session 1 connects to g1, session 2 to g2, session 3 to g1 again. What a gateway asks of presence
travels: it leaves at one step and reaches Redis at another, in order per session, in any order
across sessions. All is pure and hashable.
"""

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from wsgateway.lab.race.record import FAST, Op, Record, State


class Fault(StrEnum):
    """What may go wrong.

    `delay`: operations of different gateways overtake each other on their way to Redis.
    `late_cleanup`: a gateway notices only later that its client has left.
    `expiry`: once, the record's time to live ends, though someone is connected.
    `failover`: once, a replica takes over that has not seen the last change, or the last few.
    `skew`: the clock of one gateway is an hour fast.
    `server_clock`: the clock of the replica that takes over is an hour behind.
    """

    DELAY = "delay"
    LATE_CLEANUP = "late_cleanup"
    EXPIRY = "expiry"
    FAILOVER = "failover"
    SKEW = "skew"
    SERVER_CLOCK = "server_clock"


FAULTS = frozenset(Fault) - {Fault.SERVER_CLOCK}
"""What is explored unless told otherwise."""


class Phase(IntEnum):
    """Where a session is: `left` means that its client is gone and its gateway does not know."""

    IDLE = 0
    OPEN = 1
    LEFT = 2
    GONE = 3


class Session(NamedTuple):
    """One connection of the user.

    Args:
        phase: where it is.
        queue: what its gateway asked and Redis has not done yet: operation, gateway's clock.
        registered: the answer to its register is back.
        epoch: what that said.
        beats: heartbeats it will still send.
        told: news that somebody displaced it is on its way to its gateway.
        stale: the record was lost, and it has not refreshed since.
    """

    phase: Phase = Phase.IDLE
    queue: tuple[tuple[Op, int], ...] = ()
    registered: bool = False
    epoch: int = 0
    beats: int = 0
    told: bool = False
    stale: bool = False


class World(NamedTuple):
    """All there is.

    Args:
        sessions: of one user, in the order in which they connect.
        record: what Redis holds.
        missed: what it held before each of the last changes, the newest first: a replica may have
            missed them.
        lag: how many changes a replica may have missed.
        order: sessions by when their register reached Redis.
        faults: those that may still happen.
        fast: the gateway whose clock is fast, or "".
        promoted: a replica has taken over.
    """

    sessions: tuple[Session, ...]
    record: State = None
    missed: tuple[State, ...] = ()
    lag: int = 1
    order: tuple[int, ...] = ()
    faults: frozenset[Fault] = FAULTS
    fast: str = ""
    promoted: bool = False


class Move(NamedTuple):
    """Something that happens.

    Args:
        what: `connect`, `apply`, `beat`, `leave`, `notice` or `told`; `expire` or `failover`.
        session: to whom; -1 is Redis.
        lost: changes that a failover loses.
    """

    what: str
    session: int = -1
    lost: int = 1


def gateway_of(session: int) -> str:
    """Return the gateway a session connects to."""
    return f"g{1 + session % 2}"


def conn_of(session: int) -> str:
    """Return the connection id of a session."""
    return f"s{1 + session}"


def session_of(conn: str) -> int:
    """Return whose connection id it is."""
    return int(conn[1:]) - 1


def moves(world: World, faults: frozenset[Fault]) -> Iterator[Move]:
    """Yield all that may happen next."""
    urgent = list(_urgent(world, faults))
    if urgent:
        yield from urgent
        return
    for number, session in enumerate(world.sessions):
        phase = session.phase
        if phase is Phase.IDLE:
            # Why: in this order only. Any other is the same with the names exchanged.
            # 原因：只按这个顺序连接；换个顺序不过是把名字对调。
            yield Move("connect", number)
            break
        if session.queue:
            yield Move("apply", number)
        if phase is Phase.OPEN:
            yield Move("leave", number)
            if session.registered and session.beats:
                yield Move("beat", number)
        elif phase is Phase.LEFT:
            yield Move("notice", number)
        if session.told and phase in (Phase.OPEN, Phase.LEFT):
            yield Move("told", number)
    if Fault.EXPIRY in world.faults and world.record is not None:
        yield Move("expire")
    if Fault.FAILOVER in world.faults:
        for lost, older in enumerate(world.missed, 1):
            if older not in (world.record, *world.missed[: lost - 1]):
                yield Move("failover", lost=lost)


def _urgent(world: World, faults: frozenset[Fault]) -> Iterator[Move]:
    """Yield what must happen first where nothing is delayed."""
    for number, session in enumerate(world.sessions):
        if session.queue and Fault.DELAY not in faults:
            yield Move("apply", number)
        elif session.phase is Phase.LEFT and Fault.LATE_CLEANUP not in faults:
            yield Move("notice", number)


def now(world: World, *, fast: bool = False) -> int:
    """Return a time later than all that were read from this clock before."""
    floor = FAST if fast else 0
    return 1 + max((t for t in _times(world) if t >= floor and (fast or t < FAST)), default=floor)


def ranked(world: World) -> World:
    """Return the same world with its times counted 1, 2, 3, ...: only their order matters."""
    # Why: two ways that lead to the same situation then are one state, not two.
    # 原因：这样，殊途同归的两条路就是同一个状态，而不是两个。
    times = sorted(set(_times(world)) - {0})
    slow = [t for t in times if t < FAST]
    fast = times[len(slow) :]
    to = {t: 1 + n for n, t in enumerate(slow)} | {t: FAST + 1 + n for n, t in enumerate(fast)}
    if all(t == rank for t, rank in to.items()):
        return world
    to[0] = 0
    sessions = tuple(
        session._replace(
            queue=tuple((op, to[clock]) for op, clock in session.queue), epoch=to[session.epoch]
        )
        for session in world.sessions
    )
    missed = tuple(_at(record, to) for record in world.missed)
    return world._replace(sessions=sessions, record=_at(world.record, to), missed=missed)


def _at(record: State, to: dict[int, int]) -> State:
    return None if record is None else Record(record.gateway, record.conn, to[record.time])


def _times(world: World) -> Iterator[int]:
    for record in (world.record, *world.missed):
        if record is not None:
            yield record.time
    for session in world.sessions:
        yield session.epoch
        for _, clock in session.queue:
            yield clock
