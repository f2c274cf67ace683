"""The checks of the exercises on races: an answer is explored, not compared with a text."""

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from typing import Any

from wsgateway.brokers import RedisServer
from wsgateway.lab.checks import NotAttempted, Todo, Wrong, call, expect, grade
from wsgateway.lab.race.designs import DESIGNS, Design
from wsgateway.lab.race.explorer import explore
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.lua import LuaModel, ScriptFailed
from wsgateway.lab.race.record import Op
from wsgateway.lab.race.trace import Trace, story

STORIES = {
    "A": "s1 connect, s1 register, s2 connect, s2 register, s1 leave, s1 notice, s1 cleanup",
    "B": "s1 connect, s1 register, s2 connect, s2 register, s2 beat, failover, s2 refresh",
    "C": "s1 connect, s1 register, s1 beat, s2 connect, s2 register, s1 refresh",
}
"""Three schedules: a late cleanup, a failover, a refresh on its way while the user moves."""


def refresh_in_lua(source: Any) -> bool:
    """Exercise 3.1: the refresh as a compare-and-set, in Lua; register and cleanup are ours."""
    return grade("3.1", lambda: _survives(Op.REFRESH, source))


def cleanup_in_lua(source: Any) -> bool:
    """Exercise 3.2: a cleanup that leaves others' records alone; register and refresh are ours."""
    return grade("3.2", lambda: _survives(Op.CLEANUP, source))


def survivors(answer: Callable[[str], Any]) -> bool:
    """Exercise 3.3: `answer(story)` names the designs that keep every promise on that schedule.

    Args:
        answer: gets "A", "B" or "C", a key of `STORIES`; returns names of `DESIGNS`.
    """

    def check() -> None:
        for name, told in STORIES.items():
            traces = {design.name: story(design, told) for design in DESIGNS.values()}
            _compare(name, traces, call(answer, name))

    return grade("3.3", check)


def _survives(op: Op, source: Any) -> None:
    if isinstance(source, Todo):
        raise NotAttempted
    expect(
        isinstance(source, str) and "KEYS" in source,
        "Give the Lua as one string; it finds the key of the record in KEYS[1].",
        "请给出一个 Lua 字符串；记录的键在 KEYS[1] 里。",
    )
    shipped = DESIGNS["conn_id_epoch"]
    scripts = {**shipped.scripts, op: source}
    with RedisServer() as server, closing(LuaModel(server.url, scripts)) as model:
        try:
            found = explore(Design("yours", "yours", "你的", scripts, model, True))
        except ScriptFailed as failed:
            raise Wrong(f"Redis says: {failed}", f"Redis 报错：{failed}") from failed
    trace = found.counterexample
    if trace is not None:
        en, zh = TITLES[Invariant(trace.broken)]
        steps = ", ".join(_brief(trace))
        raise Wrong(
            f"After {len(trace.steps)} steps {en}: {steps}.",
            f"走 {len(trace.steps)} 步之后，{zh}：{steps}。",
        )


def _brief(trace: Trace) -> list[str]:
    return [f"{one.actor.partition('@')[0]} {one.operation}" for one in trace.steps]


def _compare(name: str, traces: Mapping[str, Trace], found: Any) -> None:
    expect(
        isinstance(found, Collection) and not isinstance(found, str) and set(found) <= set(DESIGNS),
        f"For story {name}, return a set of names out of {', '.join(DESIGNS)}.",
        f"对故事 {name}，请返回一个集合，元素取自 {', '.join(DESIGNS)}。",
    )
    for design, trace in traces.items():
        if trace.broken:
            en, zh = TITLES[Invariant(trace.broken)]
            expect(
                design not in found,
                f"Story {name}: {design} does not survive it, {en}.",
                f"故事 {name}：{design} 撑不过去，{zh}。",
            )
        else:
            expect(
                design in found,
                f"Story {name}: {design} survives it. Follow the record step by step.",
                f"故事 {name}：{design} 撑得过去。请逐步跟踪记录。",
            )
