"""The pictures of lesson 7: who sees a death when, what haste costs, and one real death."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from wsgateway.lab.timing.live import Deaths
from wsgateway.lab.timing.simulate import CHOSEN, Link, Timing, detections_s, false_closes_per_day

_LOOKS = ((PINK, "-.", "s"), (ORANGE, "--", "^"), (GREEN, ":", "D"), (BLUE, "-", "o"))


def real(found: Deaths) -> Picture:
    """Draw when presence forgot the users of a stopped process, and when they were closed."""
    soonest_s, latest_s = found.bounds_s
    with canvas(
        "Two staircases over time: users that presence has forgotten, and connections that the "
        "gateway has closed; the shaded stretch is what the arithmetic allows.",
        "随时间上升的两条阶梯：在线状态已忘掉的用户，网关已关闭的连接；阴影是算出来的允许范围。",
        height_in=4.4,
    ) as made:
        axes = made.figure.add_subplot()
        axes.axvspan(soonest_s, latest_s, color=SKY, alpha=0.25)
        for times_s, colour, dash, name in (
            (found.gone_s, ORANGE, "--", ("gone from presence", "在线状态已无")),
            (found.closed_s, BLUE, "-", ("connection closed", "连接已关闭")),
        ):
            share = np.arange(1, len(times_s) + 1) / found.users * 100
            xs = [0.0, *times_s]
            axes.step(xs, [0.0, *share], where="post", color=colour, ls=dash, label=label(*name))
        axes.set_ylim(0, 140)  # room for the legend, above both staircases
        axes.set_yticks(range(0, 101, 20))
        axes.set_xlim(0, latest_s * 1.1)
        axes.set_xlabel(label("time since the lid closed (s)", "合上盖子后的时间（秒）"))
        axes.set_ylabel(label("users (%)", "用户（%）"))
        axes.legend(loc="upper left")
        axes.set_title(
            text(
                f"Nobody says goodbye: found dead {soonest_s:g} to {latest_s:g} s later",
                f"没有人道别：{soonest_s:g} 到 {latest_s:g} 秒之后才发现",
            )
        )
    return made.picture


def death(timing: Timing, since_ping_s: float = 10.0) -> Picture:
    """Draw one death by a timing: the last heartbeat, the silence, the timeout, the sweep."""
    ping_s, timeout_s, sweep_s = timing.ping_s, timing.timeout_s, timing.sweep_s
    died_s, timed_out_s = since_ping_s, timeout_s
    found_s = timed_out_s + sweep_s * 0.6
    with canvas(
        "Time line of one death: heartbeats, silence, the timeout, and the sweep that sees it.",
        "一次死亡的时间线：心跳、沉默、超时，以及发现它的那次清扫。",
        height_in=3.2,
    ) as made:
        axes = made.figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(-2.4 * ping_s, found_s + 1.2 * ping_s)
        axes.set_ylim(-1.5, 1.7)
        axes.plot((-2.3 * ping_s, died_s), (0, 0), color=GREEN, linewidth=5)
        axes.plot((died_s, found_s), (0, 0), color=GREY, linewidth=5, linestyle=(0, (1, 0.7)))
        for at_s in (-2 * ping_s, -ping_s, 0.0):
            axes.plot(at_s, 0, "o", color=GREEN, markersize=13)
        for at_s in (ping_s, 2 * ping_s):
            axes.plot(at_s, 0, "o", markerfacecolor="white", color=GREY, markersize=12)
        limit = (f"{timeout_s:g} s: timeout, TTL", f"{timeout_s:g} 秒：超时，TTL 到期")
        for at_s, colour, up, name in (
            (0.0, GREEN, True, ("last heartbeat", "最后一次心跳")),
            (died_s, RED, False, ("the lid closes", "合上盖子")),
            (timed_out_s, ORANGE, True, limit),
            (found_s, BLUE, False, ("a sweep sees it", "清扫发现了它")),
        ):
            axes.plot((at_s, at_s), (0, 0.75 if up else -0.75), color=colour, linewidth=2)
            axes.text(
                at_s,
                0.85 if up else -0.85,
                text(*name),
                ha="center",
                va="bottom" if up else "top",
                fontsize=12.5,
            )
        axes.set_title(
            text(
                f"Dead {died_s:g} s after the last heartbeat, noticed {found_s - died_s:g} s later",
                f"最后一次心跳后 {died_s:g} 秒死去，再过 {found_s - died_s:g} 秒才被发现",
            )
        )
    return made.picture


def detection(found: Mapping[Timing, NDArray[Any]]) -> Picture:
    """Draw how long deaths go unseen, one line per timing."""
    slowest = max(found, key=lambda timing: timing.bounds_s[1])
    with canvas(
        "ECDF: the share of deaths that has been seen, against the time, one line per system.",
        "经验累积分布函数：横轴是死后的时间，纵轴是已被发现的比例，每个系统一条线。",
        height_in=4.6,
    ) as made:
        axes = made.figure.add_subplot()
        for (timing, times_s), (colour, dash, _) in zip(found.items(), _LOOKS, strict=False):
            share = np.arange(1, len(times_s) + 1) / len(times_s) * 100
            axes.plot(times_s, share, color=colour, linestyle=dash, label=timing.name)
        axes.set_ylim(0, 101)
        axes.set_xlim(0, None)
        axes.set_xlabel(label("time since the death (s)", "死后的时间（秒）"))
        axes.set_ylabel(label("deaths seen (%)", "已发现的死亡（%）"))
        axes.legend(loc="lower right")
        axes.set_title(
            text(
                f"From {min(t.bounds_s[0] for t in found):g} s to {slowest.bounds_s[1]:g} s: "
                "each system chose its own",
                f"从 {min(t.bounds_s[0] for t in found):g} 秒到 {slowest.bounds_s[1]:g} 秒："
                "各家各选各的",
            )
        )
    return made.picture


def frontier(grid: Sequence[tuple[Timing, float, float]], link: Link, *, seed: int = 1) -> Picture:
    """Draw detection time against false closes: a grid of timings, and what real systems chose."""
    with canvas(
        "Scatter: to the right, how long a death goes unseen; upwards, how often a living client "
        "is closed by mistake. Grey: timings like ours; marked: what four systems chose.",
        "散点图：向右是死亡多久才被发现，向上是在线客户端被误断的频率。"
        "灰色是与我们同类的各种参数，带记号的是四个系统的选择。",
        height_in=5.4,
    ) as made:
        axes = made.figure.add_subplot()
        shown = [(late_s, wrong) for _, late_s, wrong in grid if wrong > 0]
        xs, ys = zip(*shown, strict=True)
        axes.scatter(xs, ys, color=GREY, s=26, alpha=0.7)
        for timing, (colour, _, marker) in zip(CHOSEN, _LOOKS, strict=True):
            late_s = float(np.quantile(detections_s(timing, link, seed=seed), 0.99))
            wrong = false_closes_per_day(timing, link, seed=seed)
            axes.scatter(late_s, wrong, color=colour, marker=marker, s=130, zorder=3)
            axes.annotate(
                timing.name, (late_s, wrong), xytext=(9, 5), textcoords="offset points", fontsize=13
            )
        axes.set_yscale("log")
        axes.set_xlim(0, None)
        axes.margins(x=0.12)
        axes.set_xlabel(
            label("99% of deaths are seen within (s)", "99% 的死亡在此之内被发现（秒）")
        )
        axes.set_ylabel(label("false closes a day", "每天误断次数"))
        axes.set_title(
            text(
                "Sooner seen, more often wrong: nobody escapes the slope",
                "发现得越快，误断得越多：谁也逃不出这道斜坡",
            )
        )
    return made.picture
