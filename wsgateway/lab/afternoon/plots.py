"""The afternoon drawn: the plan, the two ledgers, how long messages took."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import FixedLocator

from wsgateway.lab.afternoon.diary import Diary
from wsgateway.lab.afternoon.script import Mode, Script, Trouble
from wsgateway.lab.afternoon.timelines import told, waiting
from wsgateway.lab.language import text
from wsgateway.lab.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Picture,
    canvas,
    label,
)

__all__ = ["delays", "ledgers", "plan", "told", "waiting"]

_SOON_S = 0.005
_COLUMNS = (
    ("arrived", ("arrived", "到达"), GREEN, ""),
    ("lost", ("promised and lost", "已承诺却丢失"), RED, "xx"),
    ("offline", ("refused: offline", "被拒：offline"), GREY, ""),
    ("unknown", ("unknown", "unknown"), ORANGE, ".."),
)
_LOOKS: Mapping[Mode, tuple[str, str, str]] = {
    "redis": ("Redis", ORANGE, "-"),
    "kafka": ("Kafka", BLUE, "--"),
}
_WHAT = {
    ("receiver", "pause"): ("receiver paused", "接收方暂停"),
    ("receiver", "kill"): ("receiver hangs, is killed", "接收方卡住、被杀"),
    ("broker", "pause"): ("broker paused", "消息代理暂停"),
    ("broker", "kill"): ("broker down", "消息代理停机"),
}


def plan(script: Script) -> Picture:
    """Draw an afternoon before it happens: load above, troubles below."""
    with canvas(
        "Plan: messages per second over time; below, one bar for each trouble.",
        "计划：上面是每秒消息数，下面每个故障一条。",
        height_in=4.4,
    ) as made:
        load, bars = made.figure.subplots(2, sharex=True, height_ratios=(3, 2))
        kinds = len(script.kinds)
        for one in script.loads:
            load.fill_between(
                [one.begin_s, one.end_s], one.rate * kinds, color=BLUE, alpha=0.7, linewidth=0
            )
        load.set_ylabel(text("per second", "条/秒"))
        load.set_ylim(0)
        last_s = script.loads[-1].end_s
        for row, trouble in enumerate(script.troubles):
            bars.barh(row, trouble.lasts_s, left=trouble.at_s, color=ORANGE)
            end_s = trouble.at_s + trouble.lasts_s
            right = end_s < last_s * 0.5  # room for the words
            bars.annotate(
                label(*_WHAT[trouble.victim, trouble.what]),
                (end_s if right else trouble.at_s, row),
                xytext=(8 if right else -8, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
            )
        bars.set_yticks([])
        bars.invert_yaxis()
        bars.grid(axis="y", visible=False)
        bars.set_xlim(0, last_s)
        bars.set_xlabel(label("time (s)", "时间（秒）"))
        load.set_title(_planned(script.troubles, script))
    return made.picture


def _planned(troubles: Sequence[Trouble], script: Script) -> str:
    count = len(troubles)
    sent = sum(round(x.rate * (x.end_s - x.begin_s)) for x in script.loads) * len(script.kinds)
    return text(
        f"The plan: {sent:,} messages, {count} troubles",
        f"计划：{sent:,} 条消息，{count} 次故障",
    )


def ledgers(diaries: Mapping[Mode, Diary], *kinds: str) -> Picture:
    """Draw the ledgers of both modes side by side, a bar for each kind of message.

    Args:
        diaries: mode -> its diary.
        kinds: names of the kinds, from top to bottom.
    """
    with canvas(
        "Two ledgers side by side: one bar per kind, split into arrived, lost, offline, unknown.",
        "两本账并排：每类消息一条，分为到达、丢失、offline 和 unknown。",
        height_in=2.6 + 0.55 * len(kinds),
    ) as made:
        halves = made.figure.subplots(1, len(diaries), sharex=True, sharey=True)
        for axes, (mode, diary) in zip(halves, diaries.items(), strict=True):
            totals = [diary.totals(kind) for kind in kinds]
            lefts = np.zeros(len(kinds))
            for column, name, colour, hatch in _COLUMNS:
                counts = np.array([getattr(one, column) for one in totals])
                drawn = axes.barh(
                    kinds, counts, left=lefts, color=colour, hatch=hatch, edgecolor="white"
                )
                if mode == "redis":  # its ledger has all columns; the legend needs them once
                    drawn.set_label(label(*name))
                written = [f"{n}" if n > diary.totals(kinds[0]).sent / 12 else "" for n in counts]
                axes.bar_label(drawn, written, label_type="center", color="white")
                lefts += counts
            axes.set_title(f"{_LOOKS[mode][0]}\n({diary.broker})", fontsize=13)
            axes.set_xlabel(label("messages", "消息数"))
            axes.grid(axis="y", visible=False)
        halves[0].invert_yaxis()
        made.figure.legend(loc="outside lower center", ncols=2)
        all_of = {mode: diary.totals(*kinds) for mode, diary in diaries.items()}
        redis, kafka = all_of["redis"], all_of["kafka"]
        made.figure.suptitle(
            text(
                f"Of {redis.sent:,}, arrived: Redis {redis.arrived:,}, Kafka {kafka.arrived:,}. "
                f"Promised and lost: {redis.lost:,} and {kafka.lost:,}",
                f"{redis.sent:,} 条中到达：Redis {redis.arrived:,}，Kafka {kafka.arrived:,}。"
                f"承诺后丢失：{redis.lost:,} 与 {kafka.lost:,}",
            ),
            fontsize=15,
            x=0.01,
            ha="left",
        )
    return made.picture


def delays(diaries: Mapping[Mode, Diary], *kinds: str) -> Picture:
    """Draw how many of all messages sent had arrived, against the time since they were due.

    Args:
        diaries: mode -> its diary.
        kinds: names of the kinds to count.
    """
    with canvas(
        "ECDF over all messages sent: one curve per mode; the curve of Redis ends below 100%.",
        "按全部已发消息计的经验累积分布函数：每种模式一条；Redis 的曲线到不了 100%。",
        height_in=5.0,
    ) as made:
        axes = made.figure.add_subplot()
        soon, ends = {}, {}
        for mode, diary in diaries.items():
            name, colour, dash = _LOOKS[mode]
            taken = np.sort([one.delay_s for one in diary.of(*kinds)])
            share = np.arange(1, len(taken) + 1) / len(taken) * 100
            there = np.isfinite(taken)
            soon[mode] = 100 * np.count_nonzero(taken <= _SOON_S) / len(taken)
            ends[mode] = 100 * np.count_nonzero(there) / len(taken)
            axes.step(
                [*taken[there], 20.0],
                [*share[there], ends[mode]],
                where="post",
                color=colour,
                linestyle=dash,
                label=label(f"{name} ({diary.broker})", f"{name} ({diary.broker})"),
            )
        axes.axhline(100, color=GREY, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.set_xlim(0.0005, 20)
        axes.set_ylim(0, 103)
        ticks = (0.001, 0.01, 0.1, 1, 10)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.set_xticks(ticks, ["1 ms", "10 ms", "100 ms", "1 s", "10 s"])
        axes.set_xlabel(
            label("time since it was due (log scale)", "从该发时起经过的时间（对数轴）")
        )
        axes.set_ylabel(label("of all sent, arrived (%)", "全部已发中已到达（%）"))
        axes.legend(loc="lower right")
        axes.set_title(
            text(
                f"Within 5 ms: Redis {soon['redis']:.0f}%, Kafka {soon['kafka']:.0f}%. "
                f"In the end: {ends['redis']:.0f}% and {ends['kafka']:.0f}%",
                f"5 毫秒内：Redis {soon['redis']:.0f}%，Kafka {soon['kafka']:.0f}%。"
                f"最后：{ends['redis']:.0f}% 与 {ends['kafka']:.0f}%",
            )
        )
    return made.picture
