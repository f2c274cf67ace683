"""One way through the world, step by step, as people read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsgateway.lab.race.designs import Design
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.record import Op, State, told
from wsgateway.lab.race.step import step
from wsgateway.lab.race.world import Move, World, conn_of, gateway_of

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


def replay(design: Design, start: World, moves: Sequence[Move], broken: str = "") -> Trace:
    """Walk `moves` from `start` under `design`, and tell them."""
    worlds, steps = [start], []
    for move in moves:
        after, _ = step(worlds[-1], move, design.model, clocked=design.clocked)
        steps.append(_told(worlds[-1], move, after))
        worlds.append(after)
    return Trace(design.name, start, tuple(moves), tuple(steps), tuple(worlds), broken)


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
