"""The pictures of the lessons: each title states what the data of this run show."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator

from wsgateway.lab.checks import Step, steps
from wsgateway.lab.language import text
from wsgateway.lab.ledger import Totals
from wsgateway.lab.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    Picture,
    arrow,
    canvas,
    label,
    station,
)
from wsgateway.protocol import Hop

# What the gateway does between one hop and the next.
_STEPS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("received", "resolved"): ("ask presence: which gateway?", "查在线状态：在哪个网关？"),
    ("resolved", "arrived"): ("through {through}", "经过 {through}"),
    ("received", "outbox"): ("find the connection", "找到连接"),
    ("arrived", "outbox"): ("find the connection", "找到连接"),
    ("arrived", "resolved"): ("not here: ask presence again", "不在这里：再查一次"),
}
_COLUMNS = (
    ("arrived", ("arrived", "到达"), GREEN, ""),
    ("lost", ("promised and lost", "已承诺却丢失"), RED, "xx"),
    ("offline", ("refused: offline", "被拒"), GREY, ""),
    ("unknown", ("unknown", "unknown"), ORANGE, ".."),
)


def waterfall(trace: Sequence[Hop], *, through: str = "Redis") -> Picture:
    """Draw a traced message hop by hop, each bar beginning where the last one ended.

    Args:
        trace: hops as they arrive with the message.
        through: what the envelope went through.
    """
    stretches = steps(trace)
    longest = max(stretches, key=lambda step: step.took_us)
    first = trace[0].at
    with canvas(
        "Waterfall: one bar for each step of the message, from left to right in time.",
        "瀑布图：消息每走一步画一条，从左到右是时间。",
        height_in=1.6 + 0.75 * len(stretches),
    ) as made:
        axes = made.figure.add_subplot()
        began, total = 0, sum(step.took_us for step in stretches)
        for row, step in enumerate(stretches):
            axes.barh(row, max(step.took_us, total / 400), left=began, color=_colour(step, first))
            inside = began + step.took_us / 2 > total * 0.6
            axes.annotate(
                f"{step.took_us:,} µs",
                (began if inside else began + step.took_us, row),
                xytext=(-6 if inside else 6, 0),
                textcoords="offset points",
                ha="right" if inside else "left",
                va="center",
            )
            began += step.took_us
        axes.set_yticks(range(len(stretches)), [_describe(step, through) for step in stretches])
        axes.invert_yaxis()
        axes.set_xlim(0, max(total, 1) * 1.15)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("time since g1 received it (µs)", "g1 收到后的时间（微秒）"))
        axes.set_title(_finding(longest, total, through))
    return made.picture


def _colour(step: Step, first: Any) -> str:
    if step.end == "arrived":
        return ORANGE
    return BLUE if step.at == first else GREEN


def _describe(step: Step, through: str) -> str:
    en, zh = _name(step, through)
    where = "" if step.end == "arrived" else f"{step.at}: "
    return text(f"{where}{en}", zh)


def _name(step: Step, through: str) -> tuple[str, str]:
    en, zh = _STEPS.get((step.start, step.end), (f"{step.start} to {step.end}",) * 2)
    return en.format(through=through), zh.format(through=through)


def _finding(longest: Step, total_us: int, through: str) -> str:
    en, zh = _name(longest, through)
    share = round(100 * longest.took_us / max(total_us, 1))
    return text(f"{share}% of the way: {en}", f"全程 {share}% 的时间：{zh}")


def ecdf(samples: Mapping[tuple[str, str], Sequence[float]]) -> Picture:
    """Draw latencies as empirical distribution functions: how many messages had arrived by then.

    Args:
        samples: (English, Chinese) name of a way -> its latencies, milliseconds.
    """
    (fast, _), (slow, _) = _ranked(samples)[0], _ranked(samples)[-1]
    ratio = median(samples[slow]) / median(samples[fast])
    with canvas(
        "Latency ECDF: the share of messages that had arrived, against time, one line per way.",
        "延迟的经验累积分布函数：横轴时间，纵轴已到达的比例，每条路一条线。",
        height_in=4.8,
    ) as made:
        axes = made.figure.add_subplot()
        looks = zip((BLUE, ORANGE, GREEN, RED, SKY), ("-", "--", "-.", ":", "-"), strict=True)
        for (name, values), (colour, dash) in zip(samples.items(), looks, strict=False):
            ordered = np.sort(np.asarray(values))
            share = np.arange(1, len(ordered) + 1) / len(ordered) * 100
            axes.step(
                ordered, share, where="post", color=colour, linestyle=dash, label=label(*name)
            )
            axes.plot([np.median(ordered)], [50], "o", color=colour, markersize=9)
        axes.axhline(50, color=GREY, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_ylim(0, 101)
        axes.set_xlabel(label("one-way latency (ms, log scale)", "单程延迟（毫秒，对数轴）"))
        axes.set_ylabel(label("arrived (%)", "已到达（%）"))
        axes.legend(loc="lower right")
        axes.set_title(
            text(
                f"{ratio:.1f} times the median: {slow[0]}",
                f"中位数是 {ratio:.1f} 倍：{slow[1]}",
            )
        )
    return made.picture


def _ranked(
    samples: Mapping[tuple[str, str], Sequence[float]],
) -> list[tuple[tuple[str, str], float]]:
    return sorted(((name, median(values)) for name, values in samples.items()), key=lambda x: x[1])


def journey() -> Picture:
    """Draw who stands where: alice, her gateway, Redis, his gateway, bob."""
    with canvas(
        "Map: alice - gateway g1 - Redis - gateway g2 - bob. Presence and channels live in Redis.",
        "示意图：alice - 网关 g1 - Redis - 网关 g2 - bob。在线状态和频道都在 Redis 里。",
        height_in=3.0,
    ) as made:
        axes = made.figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 2.9)
        for x, name, role, colour in (
            (0.8, "alice", ("client", "客户端"), GREY),
            (3.0, "g1", ("gateway", "网关"), BLUE),
            (5.0, "Redis", ("presence, channels", "在线状态、频道"), ORANGE),
            (7.0, "g2", ("gateway", "网关"), GREEN),
            (9.2, "bob", ("client", "客户端"), GREY),
        ):
            station(axes, x, name, role, colour)
        for number, a, b, above in (
            ("1", 1.45, 2.3, True),
            ("2", 3.7, 4.3, True),
            ("3", 3.7, 4.3, False),
            ("4", 5.7, 6.3, False),
            ("5", 7.7, 8.55, True),
        ):
            arrow(axes, a, b, 1.85 if above else 1.25, number, both=number == "2")
        axes.text(
            5,
            0.1,
            text(
                "1 message   2 where is bob? on g2   3 publish to g2's channel   "
                "4 arrives at g2   5 to bob",
                "1 消息   2 bob 在哪？在 g2   3 发布到 g2 的频道   4 到达 g2   5 交给 bob",
            ),
            ha="center",
            va="bottom",
            fontsize=11.5,
        )
    return made.picture


def ledgers(totals: Mapping[tuple[str, str], Totals], *, brokers: Sequence[str] = ()) -> Picture:
    """Draw message ledgers as bars: what was sent, by what became of it.

    Args:
        totals: (English, Chinese) name of a run -> its totals.
        brokers: what each run was measured on.
    """
    with canvas(
        "Ledgers: one bar per run, split into arrived, lost, offline and unknown.",
        "账本：每次运行一条，分为到达、丢失、offline 和 unknown。",
        height_in=1.9 + 0.8 * len(totals),
    ) as made:
        axes = made.figure.add_subplot()
        for column, name, colour, hatch in _COLUMNS:
            values = [getattr(one, column) for one in totals.values()]
            if not any(values):
                continue
            lefts = [_before(one, column) for one in totals.values()]
            bars = axes.barh(
                range(len(totals)),
                values,
                left=lefts,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                label=label(*name),
            )
            widest = max(one.sent for one in totals.values())
            axes.bar_label(
                bars,
                [f"{value:,}" if value > widest / 25 else "" for value in values],
                label_type="center",
                color="white",
            )
        where = [f"\n({name})" for name in brokers] or [""] * len(totals)
        names = [label(*name) + on for name, on in zip(totals, where, strict=True)]
        axes.set_yticks(range(len(totals)), names)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("messages", "消息数"))
        made.figure.legend(loc="outside lower center", ncols=4, columnspacing=1.2)
        lost = "; ".join(f"{name[0]} lost {one.lost:,}" for name, one in totals.items())
        lost_zh = "；".join(f"{name[1]} 丢失 {one.lost:,} 条" for name, one in totals.items())
        axes.set_title(text(f"Of what was promised: {lost}", f"已承诺的消息中：{lost_zh}"))
    return made.picture


def _before(totals: Totals, column: str) -> int:
    names = [name for name, *_ in _COLUMNS]
    return sum(int(getattr(totals, name)) for name in names[: names.index(column)])
