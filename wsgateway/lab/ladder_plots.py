"""The pictures of a ladder of designs, and of one message's microseconds."""

from collections.abc import Sequence

from wsgateway.lab.capacity import Costs
from wsgateway.lab.ladder import Climbed, message_us
from wsgateway.lab.language import text
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, Picture, canvas, label

_FULL = 64  # messages in a full batch


def ladder(climbed: Climbed) -> Picture:
    """Draw the throughput of each rung, the plain design on top.

    Args:
        climbed: as `lab.ladder.climb` returns it, the plain design first.
    """
    values = [outcome.per_s for _, outcome in climbed]
    times = values[-1] / values[0]
    broker = climbed[0][1].broker
    colours = [GREY, *[GREEN if one.shipped else BLUE for one, _ in climbed[1:]]]
    with canvas(
        "Ladder: messages per second of each rung, one bar each, from the plain design down.",
        "阶梯：每一级每秒多少条消息，每级一条，最上面是朴素的设计。",
        height_in=1.6 + 0.72 * len(values),
    ) as made:
        axes = made.figure.add_subplot()
        bars = axes.barh(range(len(values)), values, color=colours)
        told = [f"{one.per_s:,.0f}   {message_us(one):.0f} µs" for _, one in climbed]
        axes.bar_label(bars, told, padding=6)
        names = [text(one.title_en, one.title_zh) for one, _ in climbed]
        axes.set_yticks(range(len(values)), names, fontsize=11.5)
        axes.invert_yaxis()
        axes.set_xlim(0, max(values) * 1.4)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(
            text(
                f"messages per second; gateways' CPU time for one ({broker})",
                f"每秒消息数；每条消息花网关多少 CPU 时间（{broker}）",
            )
        )
        axes.set_title(
            text(
                f"The last rung carries {times:.0f} times what the plain design does",
                f"最后一级的吞吐量是朴素设计的 {times:.0f} 倍",
            )
        )
    return made.picture


def waterfall(costs: Costs) -> Picture:
    """Draw the CPU time of one message step by step: travelling alone, and in a full batch."""
    cases = (
        (("alone", "独自上路"), _steps(costs, 1.0)),
        ((f"one of {_FULL} in a batch", f"{_FULL} 条一批中的一条"), _steps(costs, 1 / _FULL)),
    )
    alone = cases[0][1]
    total = sum(took_us for *_, took_us in alone)
    shared = alone[1][-1] + alone[2][-1] + alone[3][-1]
    with canvas(
        "Waterfall of CPU time: the steps of one message, alone above, in a full batch below.",
        "瀑布图：一条消息每一步的 CPU 时间，上面是独自上路，下面是在满批里。",
        height_in=6.4,
    ) as made:
        panels = made.figure.subplots(2, 1, sharex=True)
        for axes, (name, steps) in zip(panels, cases, strict=True):
            began = 0.0
            for row, (_, colour, took_us) in enumerate(steps):
                axes.barh(row, max(took_us, total / 400), left=began, color=colour)
                began += took_us
                axes.annotate(
                    f"{took_us:,.1f}", (began, row), (6, 0), textcoords="offset points", va="center"
                )
            named = [text(*words) for words, *_ in steps]
            axes.set_yticks(range(len(steps)), named, fontsize=10.5)
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
            axes.set_ylabel(text(*name))
        panels[-1].set_xlim(0, total * 1.1)
        panels[-1].set_xlabel(label("CPU time (µs)", "CPU 时间（微秒）"))
        panels[0].set_title(
            text(
                f"Alone, {shared / total:.0%} goes into what a batch shares",
                f"独自上路时，{shared / total:.0%} 花在一批可以分摊的事上",
            )
        )
    return made.picture


def _steps(costs: Costs, share: float) -> Sequence[tuple[tuple[str, str], str, float]]:
    """Return (what, colour, microseconds) in the order of the way, with `share` of a batch."""
    sender, receiver = costs.sender, costs.receiver
    return (
        (("sender's gateway: read, ack", "发件方网关：读取、确认"), BLUE, sender.message_us),
        (
            ("sender's gateway: its batch", "发件方网关：它那一批"),
            BLUE,
            (sender.batch_us + sender.publish_us) * share,
        ),
        (("broker", "消息代理"), ORANGE, costs.broker.of(batches=share, publishes=share)),
        (
            ("recipient's gateway: its arrival", "收件方网关：它的到达"),
            GREEN,
            receiver.publish_us * share,
        ),
        (("recipient's gateway: write", "收件方网关：写出"), GREEN, receiver.message_us),
    )
