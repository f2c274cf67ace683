"""One step of the world: what a move makes of it, and which invariants that breaks. Pure."""

from wsgateway.lab.race.designs import Model
from wsgateway.lab.race.invariants import broken_by, broken_in
from wsgateway.lab.race.record import SLOW, Call, Op
from wsgateway.lab.race.world import (
    Fault,
    Move,
    Phase,
    Session,
    World,
    conn_of,
    gateway_of,
    now,
    session_of,
)


def step(
    world: World, move: Move, model: Model, *, clocked: bool, heal: bool = True
) -> tuple[World, tuple[str, ...]]:
    """Return the world after `move`, and the invariants it broke.

    Args:
        world: before.
        move: one of `moves`.
        model: what the operations do.
        clocked: they read the gateways' clocks.
        heal: what was lost is given the time to come back, as in `broken_in`.
    """
    broken: tuple[str, ...] = ()
    if move.what == "apply":
        after, broken = _apply(world, move.session, model)
    elif move.session >= 0:
        after = _happens(world, move, clocked)
    else:
        after = _fault(world, move)
    return after, (*broken, *broken_in(after, heal=heal))


def call_of(world: World, session: int) -> Call:
    """Return the operation of `session` that reaches Redis next."""
    op, clock = world.sessions[session].queue[0]
    behind = world.promoted and Fault.SERVER_CLOCK in world.faults
    server = SLOW + 1 if behind else now(world)
    epoch = world.sessions[session].epoch
    return Call(op, gateway_of(session), conn_of(session), epoch, clock, server)


def _apply(world: World, number: int, model: Model) -> tuple[World, tuple[str, ...]]:
    call = call_of(world, number)
    record, reply = model(world.record, call)
    session = world.sessions[number]
    session = session._replace(queue=session.queue[1:])
    order = world.order
    if call.op is Op.REGISTER:
        session = session._replace(registered=True, epoch=reply.epoch, stale=False)
        order = (*order, number)
    elif call.op is Op.REFRESH:
        session = session._replace(stale=False)
        if reply.superseded:
            session = _closed(session, call.clock)
    after = _with(world._replace(order=order), number, session)
    if record != world.record:
        missed = (world.record, *world.missed)[: world.lag]
        after = after._replace(record=record, missed=missed)
    if record is None:
        after = _lost(after)
    if reply.displaced:
        after = _tell(after, session_of(reply.displaced))
    return after, tuple(broken_by(call.op, number, world, after, reply))


def _happens(world: World, move: Move, clocked: bool) -> World:
    session = world.sessions[move.session]
    fast = clocked and gateway_of(move.session) == world.fast
    clock = now(world, fast=fast) if clocked else 0
    if move.what == "connect":
        session = session._replace(phase=Phase.OPEN, queue=((Op.REGISTER, clock),))
    elif move.what == "beat":
        queue = (*session.queue, (Op.REFRESH, clock))
        session = session._replace(queue=queue, beats=session.beats - 1)
    elif move.what == "leave":
        session = session._replace(phase=Phase.LEFT, beats=0, stale=False)
    else:  # "notice", or "told"
        session = _closed(session, clock)
    return _with(world, move.session, session)


def _closed(session: Session, clock: int) -> Session:
    """Return the session after its gateway has closed it: a cleanup is on its way."""
    if session.phase is Phase.GONE:
        return session
    queue = (*session.queue, (Op.CLEANUP, clock))
    return session._replace(phase=Phase.GONE, queue=queue, beats=0, told=False, stale=False)


def _fault(world: World, move: Move) -> World:
    if move.what == "expire":  # on the replica too
        return _lost(world._replace(record=None, missed=(), faults=world.faults - {Fault.EXPIRY}))
    record, faults = world.missed[move.lost - 1], world.faults - {Fault.FAILOVER}
    return _lost(world._replace(record=record, missed=(), faults=faults, promoted=True))


def _lost(world: World) -> World:
    """Return the world after a record was lost: whoever is connected has to refresh."""
    sessions = tuple(
        one._replace(stale=one.phase is Phase.OPEN and one.registered) for one in world.sessions
    )
    return world._replace(sessions=sessions)


def _tell(world: World, number: int) -> World:
    session = world.sessions[number]
    if session.phase in (Phase.OPEN, Phase.LEFT):
        return _with(world, number, session._replace(told=True))
    return world


def _with(world: World, number: int, session: Session) -> World:
    sessions = (*world.sessions[:number], session, *world.sessions[number + 1 :])
    return world._replace(sessions=sessions)
