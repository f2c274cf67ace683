"""One way through the world, step by step, as people read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsgateway.lab.race.designs import Design
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.record import Op, State, told
from wsgateway.lab.race.step import step
from wsgateway.lab.race.world import (
    FAULTS,
    Move,
    Session,
    World,
    conn_of,
    gateway_of,
    moves,
    session_of,
)

REDIS = "Redis"

_WHAT = {
    "connect": "connects; its register leaves",
    "leave": "the client is gone; its gateway does not know yet",
    "notice": "the gateway notices; a cleanup leaves",
    "beat": "a heartbeat; a refresh leaves",
    "told": "hears that it was displaced, and closes; a cleanup leaves",
    "expire": "the record's time to live ends",
    "failover": "a replica takes over; it has not seen the last change",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Args:
        actor: the session, as `s1@g1`, or `Redis`.
        operation: `connect`, `register`, `beat`, `refresh`, `leave`, `notice`, `cleanup`, `told`,
            `expire` or `failover`; `register`, `refresh` and `cleanup` are done by Redis here.
        what: in words.
        before, after: the record.
    """

    actor: str
    operation: str
    what: str
    before: State
    after: State

    @property
    def at_redis(self) -> bool:
        """Whether it is Redis that does it."""
        return self.actor == REDIS or self.operation in tuple(Op)


@dataclass(frozen=True, slots=True)
class Trace:
    """A way from the start to the step that breaks an invariant.

    Args:
        design: its name.
        start: where it begins.
        moves: what happens.
        steps: the same, told.
        worlds: the situation at the start, and after each step.
        broken: the invariant, or "" if none breaks.
    """

    design: str
    start: World
    moves: tuple[Move, ...]
    steps: tuple[Step, ...]
    worlds: tuple[World, ...]
    broken: str

    def __str__(self) -> str:
        rows = [
            (str(number), one.actor, one.operation, _shown(one.after), one.what)
            for number, one in enumerate(self.steps, 1)
        ]
        rows.insert(0, ("", "who", "step", "record", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True))
            for row in rows
        ]
        if self.start.fast:
            lines.insert(0, f"the clock of {self.start.fast} is an hour fast")
        if self.broken:
            lines.append(f"broken: {TITLES[Invariant(self.broken)][0]}")
        return "\n".join(line.rstrip() for line in lines)


def replay(
    design: Design, start: World, way: Sequence[Move], broken: str = "", *, heal: bool = True
) -> Trace:
    """Walk `way` from `start` under `design`, and tell them.

    Args:
        design: whose operations.
        start: where to begin.
        way: one move after another.
        broken: what is shown; the invariant that breaks first by default.
        heal: as in `explore`.
    """
    worlds, steps = [start], []
    for move in way:
        after, breaks = step(worlds[-1], move, design.model, clocked=design.clocked, heal=heal)
        steps.append(_told(worlds[-1], move, after))
        worlds.append(after)
        broken = broken or next(iter(breaks), "")
    return Trace(design.name, start, tuple(way), tuple(steps), tuple(worlds), broken)


def story(design: Design, told: str, *, sessions: int = 2, fast: str = "") -> Trace:
    """Walk a schedule written down as text.

    Args:
        design: whose operations.
        told: steps with commas between: `s1 connect, s1 register, ..., failover`.
        sessions: how many there are.
        fast: the gateway whose clock is an hour fast, if any.

    Raises:
        ValueError: a step cannot happen there.
    """
    start = World(tuple(Session(beats=9) for _ in range(sessions)), fast=fast)
    world, walked = start, list[Move]()
    for part in told.split(","):
        *who, what = part.split()
        number = session_of(who[0]) if who else -1
        move = Move("apply" if what in tuple(Op) else what, number)
        queue = world.sessions[number].queue if number >= 0 else ()
        due = queue[0][0] if queue else None
        if move not in moves(world, FAULTS) or (move.what == "apply" and due != what):
            raise ValueError(f"{part.strip()!r} cannot happen at that point")
        world, _ = step(world, move, design.model, clocked=design.clocked)
        walked.append(move)
    return replay(design, start, walked)


def _told(before: World, move: Move, after: World) -> Step:
    if move.session < 0:
        return Step(REDIS, move.what, _WHAT[move.what], before.record, after.record)
    actor = f"{conn_of(move.session)}@{gateway_of(move.session)}"
    if move.what != "apply":
        return Step(actor, move.what, _WHAT[move.what], before.record, after.record)
    op, clock = before.sessions[move.session].queue[0]
    stamp = f", T={told(clock)}" if clock else ""
    return Step(actor, op.value, f"{_effect(before, after)}{stamp}", before.record, after.record)


def _effect(before: World, after: World) -> str:
    if after.record == before.record:
        return "reaches Redis; nothing changes"
    return "reaches Redis; the record is " + ("gone" if after.record is None else "written")


def _shown(record: State) -> str:
    return "-" if record is None else str(record)
