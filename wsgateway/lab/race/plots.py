"""The pictures of the race explorer: a trace in space and time, designs compared, the lattice."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from wsgateway.lab.language import text
from wsgateway.lab.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    Picture,
    canvas,
    label,
)
from wsgateway.lab.race.designs import DESIGNS
from wsgateway.lab.race.explorer import Exploration
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.lattice import STAGES, path
from wsgateway.lab.race.record import Op, State, told
from wsgateway.lab.race.trace import REDIS, Trace
from wsgateway.lab.race.world import conn_of, gateway_of, session_of

_COLOURS = (BLUE, GREEN, PINK)  # of sessions
_REDIS_X = 1.0
_SESSION_X = (0.0, 2.0, 3.0)
_SENDS = {"connect": Op.REGISTER, "beat": Op.REFRESH, "notice": Op.CLEANUP, "told": Op.CLEANUP}
_NAMES = {
    "connect": ("connects", "连接"),
    "beat": ("heartbeat", "心跳"),
    "leave": ("client is gone", "客户端已走"),
    "notice": ("gateway notices", "网关发现"),
    "told": ("told to go", "被通知离开"),
    "expire": ("TTL ends", "TTL 到期"),
    "failover": ("failover", "故障切换"),
    "register": ("register", "register"),
    "refresh": ("refresh", "refresh"),
    "cleanup": ("cleanup", "cleanup"),
}
_BARS = {
    Invariant.FOREIGN_CLEANUP: ORANGE,
    Invariant.NEWER_REPLACED: BLUE,
    Invariant.EVICTED: PINK,
    Invariant.WRONG_OWNER: RED,
    Invariant.GHOST: GREY,
}


def space_time(trace: Trace) -> Picture:
    """Draw a trace: one line per session and one for Redis, time from top to bottom.

    An operation is an arrow from where it left to where Redis did it; the band on Redis shows
    whom the record names; the step that breaks a promise is red.
    """
    with canvas(
        "Space-time diagram: a line for each session and one for Redis, time runs downwards; "
        "arrows are operations on their way, the band shows whom the record names.",
        "时空图：每个会话一条竖线，Redis 一条，时间自上而下；"
        "箭头是途中的操作，色带是记录所指的会话。",
        height_in=1.9 + 0.62 * len(trace.steps),
    ) as made:
        axes = made.figure.add_subplot()
        axes.set_axis_off()
        last = len(trace.steps)
        count = len(trace.start.sessions)
        axes.set_xlim(-0.75, _SESSION_X[count - 1] + 0.75)
        axes.set_ylim(last + 0.8, -0.9)
        for number in range(count):
            x, name = _SESSION_X[number], f"{conn_of(number)} @ {gateway_of(number)}"
            left = trace.connected(number)
            end = last + 0.6
            until = left if left < last else end
            axes.plot((x, x), (-0.2, until), color=_COLOURS[number], linewidth=2, zorder=1)
            axes.plot((x, x), (until, end), ":", color=_COLOURS[number], zorder=1)
            axes.text(x, -0.45, name, ha="center", va="bottom", fontsize=14)
        axes.text(_REDIS_X, -0.45, REDIS, ha="center", va="bottom", fontsize=14)
        _band(axes, trace)
        _arrows(axes, trace)
        en, zh = ("every promise is kept", "所有承诺都守住了")
        if trace.broken:
            en, zh = TITLES[Invariant(trace.broken)]
        if trace.design in DESIGNS:
            design = DESIGNS[trace.design]
            en, zh = f"{design.title_en}: {en}", f"{design.title_zh}：{zh}"
        axes.set_title(text(en, zh))
    return made.picture


def _band(axes: Any, trace: Trace) -> None:
    """Draw whom the record names between one step and the next."""
    for row, one in enumerate(trace.steps, 1):
        owner = _colour(one.after)
        until = row + 1 if row < len(trace.steps) else row + 0.6
        axes.plot(
            (_REDIS_X,) * 2, (row, until), color=owner, lw=11, solid_capstyle="butt", zorder=1
        )
        if one.after != one.before:
            words = str(one.after) if one.after else text("no record", "没有记录")
            _say(axes, _REDIS_X + 0.07, row + 0.33, words, "black")
    axes.plot((_REDIS_X,) * 2, (-0.2, 1), color=GREY, linewidth=2, zorder=1)


def _arrows(axes: Any, trace: Trace) -> None:
    sent: dict[str, deque[float]] = {}
    for row, one in enumerate(trace.steps, 1):
        colour = RED if row - 1 == trace.at else "#222222"
        stamp = f" T={told(one.clock)}" if one.clock else ""
        name = label(*_NAMES[one.operation]) + stamp
        if one.actor == REDIS:
            axes.plot(_REDIS_X, row, marker="X", color=ORANGE, markersize=13, zorder=3)
            _say(axes, _REDIS_X + 0.07, row, name, colour)
            continue
        number = session_of(one.actor.partition("@")[0])
        x, queue = _SESSION_X[number], sent.setdefault(one.actor, deque())
        side = 1 if x > _REDIS_X else -1
        if one.at_redis:
            near = _REDIS_X + 0.055 * side
            _arrow(axes, (x, queue.popleft()), (near, row), colour)
            _say(axes, _REDIS_X + 0.22 * side, row - 0.24, name, colour)
            if one.superseded:
                _arrow(axes, (near, row), (x, row + 0.5), colour)
                _say(axes, x + 0.07 * side, row + 0.5, label(*_NAMES["told"]), colour)
                queue.append(row + 0.5)
        else:
            axes.plot(x, row, "o", color=_COLOURS[number], markersize=9, zorder=3)
            _say(axes, x + 0.07 * side, row, name, colour)
            if one.operation in _SENDS:
                queue.append(row)


def _arrow(axes: Any, a: tuple[float, float], b: tuple[float, float], colour: str) -> None:
    look = {"arrowstyle": "-|>", "color": colour, "lw": 2.6 if colour == RED else 1.7}
    axes.annotate("", b, a, arrowprops=look, zorder=2)


def _say(axes: Any, x: float, y: float, words: str, colour: str) -> None:
    """Write beside what is at `x`: away from Redis."""
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    align = "left" if x > _REDIS_X else "right"
    axes.text(x, y, words, color=colour, ha=align, va="center", fontsize=11, bbox=paper, zorder=2.5)


def _colour(record: State) -> str:
    return "#d9d9d9" if record is None else _COLOURS[session_of(record.conn)]


def outcomes(found: Mapping[str, Exploration]) -> Picture:
    """Draw for each design on how many schedules it breaks which promise.

    Args:
        found: name -> exploration, of the same sessions and faults.
    """
    shown = [one for one in Invariant if any(each.bad[one] for each in found.values())]
    height = 0.8 / max(1, len(shown))
    with canvas(
        "Bars: for each design, the share of schedules on which each promise is broken.",
        "条形图：每种设计在多少比例的执行顺序下违背了哪条承诺。",
        height_in=2.4 + 0.9 * len(found),
    ) as made:
        axes = made.figure.add_subplot()
        for nth, name in enumerate(shown):
            rows = [row + (nth + 0.5) * height - 0.4 for row in range(len(found))]
            shares = [100 * one.bad[name] / one.schedules for one in found.values()]
            bars = axes.barh(
                rows, shares, height * 0.92, color=_BARS[name], label=label(*TITLES[name])
            )
            told = [f"{share:.2g}%" if share else "0" for share in shares]
            axes.bar_label(bars, told, padding=4, fontsize=11)
        names = [label(one.design.title_en, one.design.title_zh) for one in found.values()]
        axes.set_yticks(range(len(found)), [name.replace(" / ", "\n") for name in names])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.12)
        axes.set_xlabel(label("schedules that break it (%)", "违背它的执行顺序（%）"))
        made.figure.legend(loc="outside lower center", ncols=1 if len(shown) > 3 else 2)
        good = [one for one in found.values() if not one.bad["any"]]
        if good:
            count, best = good[0].schedules, good[0].design
            axes.set_title(
                text(
                    f"{count:,} schedules: only {best.title_en} keeps every promise",
                    f"{count:,} 种执行顺序：只有“{best.title_zh}”守住了全部承诺",
                )
            )
        else:
            axes.set_title(text("Every design breaks a promise", "每种设计都有违背承诺的时候"))
    return made.picture


def lattice(found: Exploration, trace: Trace | None = None) -> Picture:
    """Draw where two sessions may be at the same time, and where on the map promises break.

    Args:
        found: an exploration of two sessions.
        trace: one way through, drawn as a line; the shortest counterexample by default.
    """
    trace = trace or found.counterexample
    with canvas(
        "Lattice: how far session 1 has come, to the right; session 2, upwards. A dot is as large "
        "as there are situations, red where a promise breaks; the line is one schedule.",
        "格图：向右是会话 1 的进度，向上是会话 2 的进度。点越大，局面越多；"
        "红色表示有承诺在此被违背；折线是其中一种执行顺序。",
        height_in=6.2,
    ) as made:
        axes = made.figure.add_subplot()
        most = max(place.situations for place in found.lattice.values())
        for (x, y), place in found.lattice.items():
            size = 60 + 900 * (place.situations / most) ** 0.5
            axes.scatter(x, y, s=size, color=SKY, zorder=2)
            if place.broken:
                part = (place.broken / place.situations) ** 0.5
                axes.scatter(x, y, s=size * part + 12, color=RED, zorder=3)
        if trace is not None:
            xs, ys = zip(*path(trace), strict=True)
            axes.plot(xs, ys, color="black", linewidth=2.4, zorder=4)
            axes.plot(xs[-1], ys[-1], marker="X", color="black", markersize=13, zorder=5)
        names = [text(*one) for one in STAGES]
        axes.set_xticks(range(len(STAGES)), names, fontsize=10)
        axes.set_yticks(range(len(STAGES)), names, fontsize=10)
        axes.set_xlabel(label("session s1", "会话 s1"))
        axes.set_ylabel(label("session s2", "会话 s2"))
        broken = sum(place.broken > 0 for place in found.lattice.values())
        places, design = len(found.lattice), found.design
        axes.set_title(
            text(
                f"{design.title_en}: a promise breaks at {broken} of {places} places",
                f"{design.title_zh}：{places} 个位置中有 {broken} 个会违背承诺",
            )
        )
    return made.picture
