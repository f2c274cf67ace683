"""Timer lateness: ways to wait, nested loops, and the evidence against a blocker."""

from wsgateway.lab.language import text
from wsgateway.lab.loops.lineup import LATE_MS, Evidence
from wsgateway.lab.loops.watch import Waits
from wsgateway.lab.picture import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    Picture,
    canvas,
    label,
)

_MARKS = ((BLUE, "o"), (GREEN, "s"), (PINK, "D"), (ORANGE, "^"))


def lateness(waits: Waits) -> Picture:
    """Draw how late each tick came, one panel for each way to wait."""
    panels = (
        ("await asyncio.sleep", waits.awaited, GREEN),
        ("to_thread(time.sleep)", waits.threaded, BLUE),
        ("time.sleep", waits.blocking, RED),
    )
    with canvas(
        "Lateness of a 10 ms ticker over time, one panel per way to wait; the wait is shaded.",
        "每 10 毫秒一次的打点迟到多久，每种等法一幅；阴影处在等。",
        height_in=4.6,
    ) as made:
        parts = made.figure.subplots(1, len(panels), sharex=True, sharey=True)
        for axes, (name, watched, colour) in zip(parts, panels, strict=True):
            axes.axvspan(watched.since_s, watched.until_s, color="#EEEEEE", zorder=0)
            late_ms = [1e3 * late for late in watched.late_s]
            axes.plot(watched.due_s, late_ms, "o", color=colour, markersize=6, clip_on=False)
            axes.set_title(name, fontsize=13, family="monospace")
            axes.set_xlabel(label("due at (s)", "应到时刻（秒）"))
        parts[0].set_ylim(0)
        parts[0].set_ylabel(label("late by (ms)", "迟到（毫秒）"))
        worst = round(1e3 * waits.blocking.worst_s)
        others = round(1e3 * max(waits.awaited.worst_s, waits.threaded.worst_s))
        made.figure.suptitle(
            text(
                f"time.sleep makes a tick {worst:,} ms late; the other two, {others:,} ms at most",
                f"time.sleep 让打点迟到 {worst:,} 毫秒；另两种最多 {others:,} 毫秒",
            ),
            fontsize=15,
            x=0.01,
            ha="left",
        )
    return made.picture


def nesting(waits: Waits) -> Picture:
    """Draw the ticker beside a nested loop, and what two callers of nested loops got."""
    with canvas(
        "A nested loop: the ticker stays punctual; a short wait lasts as long as the one above it.",
        "嵌套循环：打点照样准时；短的等待要拖到压在它上面的那个结束。",
        height_in=4.6,
    ) as made:
        ticks, bars = made.figure.subplots(1, 2)
        nested = waits.nested
        ticks.axvspan(nested.since_s, nested.until_s, color="#EEEEEE", zorder=0)
        ticks.plot(nested.due_s, [1e3 * late for late in nested.late_s], "o", color=GREEN)
        ticks.set_ylim(0, max(1e3 * nested.worst_s, 50))
        ticks.set_xlabel(label("due at (s)", "应到时刻（秒）"))
        ticks.set_ylabel(label("late by (ms)", "迟到（毫秒）"))
        ticks.set_title(label("other coroutines", "其他协程"), fontsize=13)
        names = {"short": ("short", "短的"), "long": ("long", "长的")}
        rows = range(len(names))
        asked = [1e3 * waits.asked_s[name] for name in names]
        took = [1e3 * waits.took_s[name] for name in names]
        bars.barh(rows, took, color=[RED, GREY], height=0.5)
        bars.barh(rows, asked, color="none", edgecolor=BLACK, linewidth=2, height=0.5)
        bars.set_yticks(rows, [label(*name) for name in names.values()])
        bars.invert_yaxis()
        bars.grid(axis="y", visible=False)
        bars.set_xlabel(text("asked: outline, got: bar (ms)", "框：所求，条：所得（毫秒）"))
        bars.set_title(label("the two callers", "两个调用者"), fontsize=13)
        made.figure.suptitle(
            text(
                f"Others are on time. Asked for {asked[0]:.0f} ms, got {took[0]:.0f}",
                f"旁人不受影响。要等 {asked[0]:.0f} 毫秒的，等了 {took[0]:.0f} 毫秒",
            ),
            fontsize=15,
            x=0.01,
            ha="left",
        )
    return made.picture


def evidence(seen: Evidence, *, from_ms: float = 0.0, to_ms: float = 600.0) -> Picture:
    """Draw late ticks, and below, who was given the loop when."""
    with canvas(
        "Above, how late each tick came; below, one row per coroutine, a mark whenever it woke.",
        "上面是每个点迟到多久；下面每个协程一行，每醒一次画一个记号。",
        height_in=5.0,
    ) as made:
        above, below = made.figure.subplots(2, sharex=True, height_ratios=(3, 2))
        ticks = [(due, came - due) for due, came in seen.ticks if from_ms <= due <= to_ms]
        due, late = zip(*ticks, strict=True)
        above.vlines(due, 0, late, color=GREY, linewidth=2)
        above.plot(due, late, "o", color=BLACK, markersize=5)
        above.axhline(LATE_MS, color=GREY, linewidth=1, linestyle=":")
        above.set_ylabel(label("late by (ms)", "迟到（毫秒）"))
        above.set_ylim(0)
        for row, (name, (colour, marker)) in enumerate(zip(seen.woke, _MARKS, strict=True)):
            moments = [at for at in seen.woke[name] if from_ms <= at <= to_ms]
            below.plot(moments, [row] * len(moments), marker, color=colour, markersize=9)
        below.set_yticks(range(len(seen.woke)), list(seen.woke))
        below.set_ylim(len(seen.woke) - 0.5, -0.5)
        below.set_xlim(from_ms, to_ms)
        below.set_xlabel(label("time (ms)", "时间（毫秒）"))
        count = len([one for one in seen.late if from_ms <= one[0] <= to_ms])
        above.set_title(
            text(
                f"{count} late ticks in {to_ms - from_ms:.0f} ms: who woke just before each?",
                f"{to_ms - from_ms:.0f} 毫秒里有 {count} 个点迟到：每次之前，是谁刚醒？",
            )
        )
    return made.picture
