"""Storms drawn: attempts over time, who was back when, what presence said meanwhile."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wsgateway.lab.language import text
from wsgateway.lab.picture import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Picture,
    canvas,
    label,
)
from wsgateway.lab.reconnect.account import Account
from wsgateway.lab.reconnect.storm import BUCKET_S, Storm

Storms = Mapping[str, Storm]

_ALIKE = 1.2  # two peaks no further apart than this are called the same
_LOOKS: Mapping[str, tuple[tuple[str, str], str, Any]] = {
    "none": (("no wait", "不等待"), RED, ":"),
    "fixed": (("fixed", "固定"), ORANGE, "-."),
    "exponential": (("exponential", "指数"), BLUE, "--"),
    "full jitter": (("full jitter", "全抖动"), GREEN, "-"),
    "crash": (("crash (SIGKILL)", "崩溃（SIGKILL）"), RED, "--"),
    "drain": (("drain (SIGTERM)", "排空（SIGTERM）"), GREEN, "-"),
}


def attempts(storms: Storms, *, until_s: float, up_s: float | None = None) -> Picture:
    """Draw the attempts in each tenth of a second, one panel for each group, on one scale.

    Args:
        storms: group -> what its clients did.
        until_s: right end of the time axis, seconds.
        up_s: when connections were accepted again, seconds; None draws no line.
    """
    with canvas(
        "Attempts per tenth of a second over time, one panel per group, all on one scale.",
        "每 0.1 秒的尝试次数随时间的变化，每组一幅，纵轴刻度相同。",
        height_in=1.7 + 1.45 * len(storms),
    ) as made:
        panels = made.figure.subplots(len(storms), sharex=True, sharey=True)
        edges = np.arange(0, until_s + BUCKET_S, BUCKET_S)
        for axes, (name, storm) in zip(panels, storms.items(), strict=True):
            (en, zh), colour, _ = _LOOKS[name]
            counts = storm.counts()
            heights = [counts[n] for n in range(len(edges) - 1)]
            axes.stairs(heights, edges, fill=True, color=colour)
            if up_s is not None:
                axes.axvline(up_s, color=BLACK, linestyle=":", linewidth=1.5)
            axes.annotate(  # above the panel: inside it may cover a bar
                label(f"{en}: peak {storm.peak():,}", f"{zh}：峰值 {storm.peak():,}"),
                (1.0, 1.0),
                xycoords="axes fraction",
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                va="bottom",
            )
        panels[-1].set_xlim(0, until_s)
        panels[-1].set_ylim(0, 1.15 * max(storm.peak() for storm in storms.values()))
        panels[-1].set_xlabel(label("time since the death (s)", "死亡之后的时间（秒）"))
        made.figure.supylabel(label("attempts per 0.1 s", "每 0.1 秒尝试次数"), fontsize=12)
        panels[0].set_title(_peaks(storms), pad=28)
    return made.picture


def _peaks(storms: Storms) -> str:
    low, high = (
        min(storms, key=lambda n: storms[n].peak()),
        max(storms, key=lambda n: storms[n].peak()),
    )
    times = storms[high].peak() / max(storms[low].peak(), 1)
    (low_en, low_zh), (high_en, high_zh) = _LOOKS[low][0], _LOOKS[high][0]
    if times < _ALIKE:
        return text("The same peak: the waves only move apart", "峰一样高：波只是隔得更开")
    return text(
        f"Highest peak: {high_en}, {times:,.0f} times that of {low_en}",
        f"最高的峰：{high_zh}，是{low_zh}的 {times:,.0f} 倍",
    )


def recovered(storms: Storms, *, up_s: float | None = None) -> Picture:
    """Draw the share of clients that were back, against time.

    Args:
        storms: group -> what its clients did.
        up_s: when connections were accepted again, seconds; None draws no line.
    """
    with canvas(
        "Time to recover as an ECDF: the share of clients that were back, one line per group.",
        "恢复时间的经验累积分布函数：已回来的客户端比例，每组一条线。",
        height_in=4.8,
    ) as made:
        axes = made.figure.add_subplot()
        for name, storm in storms.items():
            names, colour, dash = _LOOKS[name]
            ordered = np.concatenate([[0.0], np.sort(np.asarray(storm.back))])
            share = np.arange(len(ordered)) / storm.clients * 100
            axes.step(
                ordered, share, where="post", color=colour, linestyle=dash, label=label(*names)
            )
            axes.plot(ordered[-1:], share[-1:], "o", color=colour)
        if up_s is not None:
            axes.axvline(up_s, color=BLACK, linestyle=":", linewidth=1.5)
        axes.set_xlim(0)
        axes.set_ylim(0, 103)
        axes.set_xlabel(label("time since the death (s)", "死亡之后的时间（秒）"))
        axes.set_ylabel(label("back (%)", "已回来（%）"))
        axes.legend(loc="lower right")
        slow = max(storms, key=lambda name: storms[name].all_back_s)
        (en, zh), last_s = _LOOKS[slow][0], storms[slow].all_back_s
        axes.set_title(
            text(f"Last of all: {en}, after {last_s:.1f} s", f"最后一个：{zh}，{last_s:.1f} 秒")
        )
    return made.picture


def healing(account: Account) -> Picture:
    """Draw what presence says of each group's users, over time.

    Args:
        account: one death, and how everyone came back.
    """
    storms = account.storms
    with canvas(
        "Presence over time, one panel per group: named a live gateway, a dead one, no record.",
        "在线状态随时间的变化，每组一幅：写着活网关、写着死网关、没有记录。",
        height_in=1.9 + 1.35 * len(storms),
    ) as made:
        panels = made.figure.subplots(len(storms), sharex=True, sharey=True)
        at_s = [look.at_s for look in account.looks]
        named: list[tuple[str, str]] = []  # each once in the legend, and only what occurs
        for axes, (name, storm) in zip(panels, storms.items(), strict=True):
            live = np.array([look.live[name] for look in account.looks])
            dead = np.array([look.dead[name] for look in account.looks])
            parts = (live, dead, storm.clients - live - dead)
            drawn = axes.stackplot(
                at_s,
                [100 * part / storm.clients for part in parts],
                colors=(GREEN, RED, "#dddddd"),
                step="post",
            )
            drawn[1].set(hatch="xx", edgecolor="white", linewidth=0)
            for area, names, part in zip(drawn, _SAID, parts, strict=True):
                if part.any() and names not in named:
                    named.append(names)
                    area.set_label(label(*names))
            axes.set_ylabel(f"{text(*_SHORT.get(name, _LOOKS[name][0]))}\n(%)")
            axes.grid(visible=False)
        panels[-1].set_xlim(0, at_s[-1])
        panels[-1].set_ylim(0, 100)
        panels[-1].set_xlabel(label("time since the death (s)", "死亡之后的时间（秒）"))
        made.figure.legend(loc="outside lower center", ncols=3, columnspacing=1.2)
        worst = max(sum(look.dead.values()) for look in account.looks)
        everyone = sum(storm.clients for storm in storms.values())
        panels[0].set_title(
            text(
                f"Records that named a dead gateway: at worst {worst:,} of {everyone:,}",
                f"写着死网关的记录：最坏时，{everyone:,} 条里有 {worst:,} 条",
            )
        )
    return made.picture


_SHORT = {"crash": ("crash", "崩溃"), "drain": ("drain", "排空")}
_SAID = (
    ("a live gateway", "活网关"),
    ("a dead gateway", "死网关"),
    ("no record", "没有记录"),
)
