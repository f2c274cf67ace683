"""The pictures of what things cost: prices, batches, cores."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter

from wsgateway.lab.capacity import Costs, Run
from wsgateway.lab.fleet import publishes_per_message
from wsgateway.lab.language import text
from wsgateway.lab.picture import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    Picture,
    canvas,
    label,
)
from wsgateway.lab.sizing import Plan

_FULL = 64  # messages in a full batch


def fitted(runs: Sequence[Run], costs: Costs) -> Picture:
    """Draw what each run cost per message against what the model says, one mark per process."""
    with canvas(
        "Model against measurement: one mark per run and process, close to the diagonal.",
        "模型与实测：每次运行、每个进程一个记号，都靠近对角线。",
        height_in=5.4,
    ) as made:
        axes = made.figure.add_subplot()
        far, everything = 0.0, []
        for where, price, name, colour, mark in (
            ("sender_us", costs.sender, ("sender's gateway", "发件方网关"), BLUE, "o"),
            ("receivers_us", costs.receiver, ("recipients' gateways", "收件方网关"), GREEN, "s"),
            ("broker_us", costs.broker, ("broker", "消息代理"), ORANGE, "^"),
        ):
            said = [price.of(batches=1 / run.batch, publishes=run.thinness) for run in runs]
            true = [getattr(run.spent, where) / run.messages for run in runs]
            far = max(far, *(max(a / b, b / a) for a, b in zip(said, true, strict=True)))
            axes.plot(true, said, mark, color=colour, markersize=10, label=label(*name))
            everything += [*said, *true]
        ends = [min(everything) / 1.5, max(everything) * 1.5]
        axes.plot(ends, ends, ":", color=GREY, zorder=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(label("measured (CPU µs per message)", "实测（每条消息的 CPU 微秒）"))
        axes.set_ylabel(label("model (µs)", "模型（微秒）"))
        axes.legend(loc="upper left")
        axes.set_title(
            text(
                f"Three prices explain every run to within a factor of {far:.1f}",
                f"三个价格就能解释每次运行，最多差 {far:.1f} 倍",
            )
        )
    return made.picture


def prices(costs: Costs) -> Picture:
    """Draw what a message, a heartbeat and a connection cost, gateways and broker stacked."""
    full = {"batches": 1 / _FULL, "publishes": 1 / _FULL}
    things = (
        (("message, alone", "消息，独自一条"), costs.message_us(), costs.broker.of()),
        (
            (f"message, {_FULL} in a batch", f"消息，{_FULL} 条一批"),
            costs.message_us(**full),
            costs.broker.of(**full),
        ),
        (("heartbeat", "心跳"), costs.ping_us, costs.broker_ping_us),
        (("new connection", "新连接"), costs.connect_us, costs.broker_connect_us),
    )
    saved = (things[0][1] + things[0][2]) / (things[1][1] + things[1][2])
    with canvas(
        "Prices: CPU time of a message alone and in a full batch, a heartbeat, a connection.",
        "价格：独自一条的消息、满批里的消息、心跳、新连接，各花多少 CPU 时间。",
        height_in=4.4,
    ) as made:
        axes = made.figure.add_subplot()
        at_gateways = [gateway for _, gateway, _ in things]
        at_broker = [broker for _, _, broker in things]
        rows = range(len(things))
        axes.barh(rows, at_gateways, color=BLUE, label=label("gateways", "网关"))
        bars = axes.barh(
            rows,
            at_broker,
            left=at_gateways,
            color=ORANGE,
            hatch="//",
            edgecolor="white",
            label=label("broker", "消息代理"),
        )
        sums = [a + b for a, b in zip(at_gateways, at_broker, strict=True)]
        axes.bar_label(bars, [f"{one:,.0f} µs" for one in sums], padding=6)
        axes.set_yticks(rows, [text(*name) for name, *_ in things])
        axes.invert_yaxis()
        axes.set_xlim(0, max(sums) * 1.15)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("CPU time (µs)", "CPU 时间（微秒）"))
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.3))
        axes.set_title(
            text(
                f"A message alone costs {saved:.0f} times as much as one in a full batch",
                f"独自一条的消息，花费是满批里一条的 {saved:.0f} 倍",
            )
        )
    return made.picture


def thinning(runs: Sequence[Run]) -> Picture:
    """Draw publishes per message against the number of gateways: measured, and reckoned beyond.

    Args:
        runs: of the same burst to 1, 3, 7, ... gateways.
    """
    few, many = runs[0], max(runs, key=lambda run: run.gateways)
    with canvas(
        "Publishes per message against gateways: measured marks, and curves that rise to one.",
        "每条消息的发布次数随网关数的变化：实测记号，以及升向一的曲线。",
        height_in=4.8,
    ) as made:
        axes = made.figure.add_subplot()
        over = np.geomspace(1, 1_000, 200)
        for batch, colour, dash in ((4, SKY, ":"), (16, GREEN, "--"), (64, BLUE, "-")):
            curve = [publishes_per_message(batch, one) for one in over]
            name = text(f"batch of {batch}", f"{batch} 条一批", separator=" / ")
            axes.plot(over, curve, dash, color=colour, label=name)
        axes.plot(
            [run.gateways for run in runs],
            [run.thinness for run in runs],
            "D",
            color=RED,
            markersize=10,
            label=label("measured, real gateways", "实测，真实网关"),
        )
        axes.axhline(1.0, color=BLACK, linewidth=1, zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([1, 3, 7, 10, 30, 100, 300, 1_000]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(0, 1.08)
        axes.set_xlabel(label("gateways written to (log scale)", "写往多少个网关（对数轴）"))
        axes.set_ylabel(label("publishes per message", "每条消息的发布次数"))
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.08), fontsize=11.5)
        times = many.thinness / few.thinness
        axes.set_title(
            text(
                f"Measured: {times:.0f} times the publishes for {many.gateways} gateways as for 1",
                f"实测：发往 {many.gateways} 个网关的发布次数，是发往 1 个的 {times:.0f} 倍",
            )
        )
    return made.picture


def cores(plan: Plan) -> Picture:
    """Draw what keeps the cores of a planned deployment busy at its peak."""
    rows = (
        (("gateways", "网关"), plan.gateway_cores),
        (("Redis", "Redis"), plan.broker_cores),
    )
    kinds = (
        ("messages", ("messages", "消息"), BLUE, ""),
        ("pings", ("heartbeats", "心跳"), ORANGE, "//"),
        ("reconnects", ("a zone coming back", "一个可用区的用户重连"), GREY, ".."),
    )
    share = {name: getattr(plan.gateway_cores, name) for name, *_ in kinds}
    first = max(kinds, key=lambda kind: share[kind[0]])
    percent = round(100 * share[first[0]] / plan.gateway_cores.total)
    with canvas(
        "Busy cores at the peak, one bar for gateways and one for Redis, by what keeps them busy.",
        "高峰时占满的核数：网关一条、Redis 一条，按花在什么上面分段。",
        height_in=3.6,
    ) as made:
        axes = made.figure.add_subplot()
        lefts = np.zeros(len(rows))
        for name, words, colour, hatch in kinds:
            values = [getattr(one, name) for _, one in rows]
            axes.barh(
                range(len(rows)),
                values,
                left=lefts,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                label=label(*words),
            )
            lefts += values
        for row, total in enumerate(lefts):
            axes.annotate(
                f"{total:.1f}", (total, row), (6, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(rows)), [label(*name) for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, max(lefts) * 1.1)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("cores fully busy", "占满的核数"))
        made.figure.legend(loc="outside lower center", ncols=3, columnspacing=1.2)
        axes.set_title(
            text(
                f"{percent}% of what the gateways work is: {first[1][0]}",
                f"网关 {percent}% 的工作是：{first[1][1]}",
            )
        )
    return made.picture
