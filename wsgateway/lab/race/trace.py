"""One way through the world, step by step, as people read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsgateway.lab.language import text
from wsgateway.lab.race.designs import Design
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.record import Op, State, told
from wsgateway.lab.race.step import step
from wsgateway.lab.race.world import (
    FAULTS,
    Move,
    Phase,
    Session,
    World,
    conn_of,
    gateway_of,
    moves,
    session_of,
)

REDIS = "Redis"

_WHAT = {
    "connect": ("a register leaves", "发出注册"),
    "leave": ("the client is gone, its gateway does not know", "客户端已走，网关还不知道"),
    "notice": ("the gateway notices: a cleanup leaves", "网关发现了：发出清理"),
    "beat": ("a refresh leaves", "发出刷新"),
    "told": ("it was displaced: a cleanup leaves", "已被取代：发出清理"),
    "expire": ("the record's time to live ends", "记录的 TTL 到期"),
    "failover": ("a replica takes over, and lacks {lost}", "副本接管，缺少{lost}"),
}
_UNCHANGED = ("nothing changes", "没有变化")
_WRITTEN = ("the record is written", "写入记录")
_GONE = ("the record is gone", "记录没了")
_SUPERSEDED = ("superseded: it has to go", "被取代：必须离开")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened.

    Args:
        actor: the session, as `s1@g1`, or `Redis`.
        operation: `connect`, `register`, `beat`, `refresh`, `leave`, `notice`, `cleanup`, `told`,
            `expire` or `failover`; `register`, `refresh` and `cleanup` are done by Redis here.
        what: in words, in the language chosen.
        before, after: the record.
        clock: of the gateway when it asked; 0 where the design reads none.
        superseded: a refresh, and it was told to go.
    """

    actor: str
    operation: str
    what: str
    before: State
    after: State
    clock: int = 0
    superseded: bool = False

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
        at: the number of the step that breaks it, from 0; -1 if none does.
    """

    design: str
    start: World
    moves: tuple[Move, ...]
    steps: tuple[Step, ...]
    worlds: tuple[World, ...]
    broken: str
    at: int

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
            fast = self.start.fast
            lines.insert(0, _both(f"the clock of {fast} is an hour fast", f"{fast} 的时钟快一小时"))
        if self.broken:
            en, zh = TITLES[Invariant(self.broken)]
            lines.append(_both(f"broken: {en}", f"违背：{zh}"))
        return "\n".join(line.rstrip() for line in lines)

    def connected(self, session: int) -> int:
        """Return after how many steps a session's client goes; all of them when it stays."""
        for number, world in enumerate(self.worlds):
            if world.sessions[session].phase in (Phase.LEFT, Phase.GONE):
                return number
        return len(self.steps)


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
    worlds, steps, at = [start], list[Step](), -1
    for move in way:
        after, breaks = step(worlds[-1], move, design.model, clocked=design.clocked, heal=heal)
        steps.append(_told(worlds[-1], move, after))
        worlds.append(after)
        broken = broken or next(iter(breaks), "")
        if at < 0 and broken in breaks:
            at = len(steps) - 1
    return Trace(design.name, start, tuple(way), tuple(steps), tuple(worlds), broken, at)


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
    records = before.record, after.record
    if move.session < 0:
        return Step(REDIS, move.what, _fault(move), *records)
    actor = f"{conn_of(move.session)}@{gateway_of(move.session)}"
    if move.what != "apply":
        return Step(actor, move.what, _both(*_WHAT[move.what]), *records)
    op, clock = before.sessions[move.session].queue[0]
    stamp = f"T={told(clock)}: " if clock else ""
    effect = _effect(before, after, move.session)
    what = stamp + _both(*effect)
    return Step(actor, op.value, what, *records, clock, effect == _SUPERSEDED)


def _fault(move: Move) -> str:
    en, zh = _WHAT[move.what]
    lost = ("the last change", "最后一次修改")
    if move.lost > 1:
        lost = (f"the last {move.lost} changes", f"最后 {move.lost} 次修改")
    return _both(en.format(lost=lost[0]), zh.format(lost=lost[1]))


def _effect(before: World, after: World, session: int) -> tuple[str, str]:
    if before.sessions[session].phase is not after.sessions[session].phase:
        return _SUPERSEDED
    if after.record == before.record:
        return _UNCHANGED
    return _GONE if after.record is None else _WRITTEN


def _both(en: str, zh: str) -> str:
    return text(en, zh, separator=" / ")


def _shown(record: State) -> str:
    return "-" if record is None else str(record)
