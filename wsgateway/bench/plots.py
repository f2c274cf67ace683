"""The plots of the commands: each title states what the data of this run show."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from wsgateway.bench.shape import Moment, Outcome, percentile
from wsgateway.bench.style import BLUE, GREEN, GREY, ORANGE, RED, SKY, drawing

Names = tuple[str, str]
"""(English, Chinese)."""
_POINTS = 80
_LOOKS = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (RED, ":"), (SKY, "-"))


def ecdf(samples: Mapping[Names, Sequence[float]]) -> bytes:
    """Draw how many messages had arrived by then, one line per way.

    Args:
        samples: name of a way -> its latencies, sorted, milliseconds.
    """
    (_, ours), *_, (last, floor) = samples.items()
    ratio = percentile(ours, 50) / max(percentile(floor, 50), 1e-6)
    with drawing(height_in=4.8) as made:
        axes = made.figure.add_subplot()
        for (name, values), (colour, dash) in zip(samples.items(), _LOOKS, strict=False):
            share = [100 * (rank + 1) / len(values) for rank in range(len(values))]
            axes.step(values, share, where="post", color=colour, ls=dash, label=label(*name))
            axes.plot([percentile(values, 50)], [50], "o", color=colour, markersize=9)
        axes.axhline(50, color=GREY, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_ylim(0, 101)
        axes.set_xlabel(label("one-way latency (ms, log scale)", "单程延迟（毫秒，对数轴）"))
        axes.set_ylabel(label("arrived (%)", "已到达（%）"))
        axes.legend(loc="best")
        middle = percentile(ours, 50)
        axes.set_title(
            f"Half arrive within {middle:.2f} ms, {ratio:.1f} times as long as a {last[0]}\n"
            f"一半在 {middle:.2f} 毫秒内到达，是{last[1]}的 {ratio:.1f} 倍"
        )
    return made.png


def load_curve(most: Outcome, steps: Sequence[Outcome]) -> bytes:
    """Draw delivered messages and latency against offered load.

    Args:
        most: the closed loop, as fast as it goes.
        steps: open loops, by rising rate.
    """
    offered = [one.shape.rate_per_s or 0.0 for one in steps]
    with drawing(height_in=6.6) as made:
        upper, lower = made.figure.subplots(2, 1, sharex=True)
        upper.plot(offered, [one.per_s for one in steps], "o-", color=BLUE)
        upper.axhline(most.per_s, color=GREY, ls="--", lw=1.5)
        upper.annotate(
            label("closed loop", "闭环"),
            (offered[0], most.per_s),
            xytext=(0, 4),
            textcoords="offset points",
            color=GREY,
        )
        upper.set_ylim(0)
        upper.set_ylabel(stacked("delivered (msg/s)", "送达（条/秒）"))
        lower.plot(offered, [one.p(50) for one in steps], "o-", color=BLUE, label="p50")
        lower.plot(offered, [one.p(99) for one in steps], "s--", color=ORANGE, label="p99")
        lower.set_yscale("log")
        lower.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        lower.set_ylabel(stacked("latency (ms, log scale)", "延迟（毫秒，对数轴）"))
        lower.set_xlabel(label("offered (msg/s)", "施加的负载（条/秒）"))
        lower.legend()
        for axes in (upper, lower):
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        upper.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        half = min(steps, key=lambda one: abs((one.shape.rate_per_s or 0) - most.per_s / 2))
        upper.set_title(
            f"At most {most.per_s:,.0f} messages a second; at half load p99 is "
            f"{half.p(99):.1f} ms\n"
            f"每秒最多 {most.per_s:,.0f} 条；半载时 p99 为 {half.p(99):.1f} 毫秒"
        )
    return made.png


def cost_bars(rows: Sequence[tuple[str, float]]) -> bytes:
    """Draw CPU time per message of several runs.

    Args:
        rows: (name, CPU seconds of all gateways per 1,000 messages).
    """
    costs = [1000 * cost for _, cost in rows]
    spread = max(costs) / max(min(costs), 1e-9)
    with drawing(height_in=1.9 + 0.6 * len(rows)) as made:
        axes = made.figure.add_subplot()
        bars = axes.barh([name for name, _ in rows], costs, color=BLUE)
        axes.bar_label(bars, [f"{cost:.0f}" for cost in costs], padding=4)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("gateway CPU (ms per 1,000 messages)", "网关 CPU（毫秒/每千条消息）"))
        axes.set_title(
            f"A message costs {spread:.2f} times as much in the dearest run as in the cheapest\n"
            f"最贵的一次，每条消息的开销是最便宜的 {spread:.2f} 倍"
        )
    return made.png


def memory_line(users: Sequence[int], rss_kib: Sequence[int], each_kib: float) -> bytes:
    """Draw a gateway's memory against its connections."""
    with drawing() as made:
        axes = made.figure.add_subplot()
        axes.plot(users, [kib / 1024 for kib in rss_kib], "o-", color=BLUE)
        axes.set_ylim(0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel(label("idle registered connections", "已注册的空闲连接数"))
        axes.set_ylabel(stacked("resident memory (MiB)", "常驻内存（MiB）"))
        axes.set_title(f"A connection costs {each_kib:.1f} KiB\n每条连接占 {each_kib:.1f} KiB")
    return made.png


def timeline(moments: Sequence[Moment], title: Names) -> bytes:
    """Draw a run in time: messages a second above, memory of the gateways below."""
    with drawing(height_in=6.2) as made:
        upper, lower = made.figure.subplots(2, 1, sharex=True)
        for name, names, (colour, dash) in (
            ("sent", ("sent", "发出"), _LOOKS[1]),
            ("received", ("arrived", "到达"), _LOOKS[0]),
            ("refused", ("refused", "被拒"), _LOOKS[3]),
        ):
            at, per_s = _rates(moments, name)
            upper.plot(at, per_s, color=colour, ls=dash, label=label(*names))
        upper.set_ylabel(stacked("messages per second", "每秒消息数（条）"))
        upper.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        upper.set_ylim(0)
        _draw_memory(lower, moments)
        made.figure.legend(handles=upper.lines, loc="outside lower center", ncols=3)
        upper.set_title("\n".join(title))
    return made.png


def _draw_memory(axes: Axes, moments: Sequence[Moment]) -> None:
    at = [one.at_s for one in moments]
    for number in range(len(moments[0].rss_kib)):
        colour, dash = _LOOKS[number % len(_LOOKS)]
        rss_mib = [one.rss_kib[number] / 1024 for one in moments]
        axes.plot(at, rss_mib, color=colour, ls=dash, label=f"g{number + 1}")
    axes.set_ylim(0)
    axes.set_ylabel(stacked("resident memory (MiB)", "常驻内存（MiB）"))
    axes.set_xlabel(label("time (s)", "时间（秒）"))
    axes.legend(loc="lower right")


def _rates(moments: Sequence[Moment], name: str) -> tuple[list[float], list[float]]:
    at, per_s = [], []
    wide = max(len(moments) // _POINTS, 1)
    for before, after in pairwise(moments[::wide]):
        if after.at_s > before.at_s:
            grown = getattr(after, name) - getattr(before, name)
            at.append(after.at_s)
            per_s.append(grown / (after.at_s - before.at_s))
    return at, per_s


def label(en: str, zh: str) -> str:
    """Return a label in both languages; a name common to both, once."""
    return en if en == zh else f"{en} / {zh}"


def stacked(en: str, zh: str) -> str:
    """Return a label in both languages, one above the other: for a short axis."""
    return f"{en}\n{zh}"


def throughput_bars(rows: Sequence[tuple[str, Sequence[float]]]) -> bytes:
    """Draw what several servers delivered, ours first.

    Args:
        rows: (name, messages per second of each round).
    """
    middles = [median(values) if values else 0.0 for _, values in rows]
    best = max(middles[1:], default=0.0)
    ratio = middles[0] / max(best, 1e-9)
    with drawing(height_in=1.9 + 0.6 * len(rows)) as made:
        axes = made.figure.add_subplot()
        colours = [BLUE, *[GREY] * (len(rows) - 1)]
        axes.barh([name for name, _ in rows], middles, color=colours)
        for place, ((_, values), middle) in enumerate(zip(rows, middles, strict=True)):
            axes.plot(values, [place] * len(values), "|", color="black", markersize=12)
            right = max([*values, middle])
            axes.text(right, place, f"  {middle:,.0f}", va="center", ha="left")
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1.2 * max([1.0, *(one for _, values in rows for one in values)]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel(label("delivered (msg/s), marks: rounds", "送达（条/秒），竖线：各轮"))
        axes.set_title(
            f"{rows[0][0]} delivers {ratio:.2f} times what the fastest other does\n"
            f"{rows[0][0]} 送达的是其余最快者的 {ratio:.2f} 倍"
        )
    return made.png
