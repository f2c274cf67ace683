"""The pictures of a fleet: what it carries, how long work waits, what happens when some die."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from wsgateway.lab.capacity import Costs
from wsgateway.lab.fleet import Spread, Storm, Wait, broadcast_per_s, carried_per_s
from wsgateway.lab.language import text
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, RED, Picture, canvas, label

_BATCH = 64


def carried(costs: Costs) -> Picture:
    """Draw what fleets of 2 to 1,000 gateways carry: their cores, one broker, and a broadcast."""
    over = np.unique(np.geomspace(2, 1_000, 60).round().astype(int))
    sides = [carried_per_s(costs, int(one), batch=_BATCH) for one in over]
    broker = [one["broker"] for one in sides]
    with canvas(
        "Messages per second against gateways: gateways' cores rise, one broker falls, broadcast "
        "stays flat.",
        "每秒消息数随网关数的变化：网关的核能承载的上升，单个代理能承载的下降，广播持平。",
        height_in=5.2,
    ) as made:
        axes = made.figure.add_subplot()
        axes.plot(
            over,
            [one["gateways"] for one in sides],
            color=BLUE,
            label=label("gateways' cores could", "网关的核能承载"),
        )
        axes.plot(
            over, broker, "--", color=RED, label=label("one broker node could", "单个代理能承载")
        )
        axes.plot(
            over,
            [broadcast_per_s(costs, int(one), batch=_BATCH) for one in over],
            ":",
            color=GREY,
            label=label("every message to every gateway", "每条消息发给每个网关"),
        )
        axes.set_yscale("log")
        _gateways_axis(axes)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_ylabel(label("messages per second", "每秒消息数"))
        axes.legend(loc="upper left", fontsize=11.5)
        top = 8 * max(one["gateways"] for one in sides)
        axes.set_ylim(top=top)
        times = broker[0] / broker[-1]
        axes.set_title(
            text(
                f"With 1,000 gateways one broker carries 1/{times:.0f} of what it does with 2",
                f"网关从 2 个到 1,000 个，单个代理的承载量降到 1/{times:.0f}",
            )
        )
    return made.picture


def _gateways_axis(axes: Any) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label("gateways (log scale)", "网关数（对数轴）"))


def waits(found: Sequence[Wait], *, calm: float = 0.6) -> Picture:
    """Draw how long work waits for its core, against how busy that is.

    Args:
        found: as `fleet.waits` returns them, in order.
        calm: the share that the title compares the last one with.
    """
    base = next(one for one in found if one.busy >= calm)
    times = found[-1].p99_us / base.p99_us
    busy = [100 * one.busy for one in found]
    with canvas(
        "Waiting time against how busy a core is: flat at first, then a wall.",
        "排队时间随核的繁忙程度的变化：先平缓，后陡直。",
        height_in=4.6,
    ) as made:
        axes = made.figure.add_subplot()
        p99_ms = [one.p99_us / 1_000 for one in found]
        p50_ms = [one.p50_us / 1_000 for one in found]
        axes.plot(busy, p99_ms, "o-", color=RED, label="p99")
        axes.plot(busy, p50_ms, "s--", color=BLUE, label="p50")
        axes.axvline(100 * calm, color=GREY, linewidth=1, zorder=0)
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(label("core busy (%)", "核的繁忙程度（%）"))
        axes.set_ylabel(label("wait (ms)", "排队（毫秒）"))
        axes.legend(loc="upper left")
        axes.set_title(
            text(
                f"At {busy[-1]:.0f}% busy, p99 waits {times:.0f} times as long as at {calm:.0%}",
                f"繁忙程度 {busy[-1]:.0f}% 时，p99 的排队时间是 {calm:.0%} 时的 {times:.0f} 倍",
            )
        )
    return made.picture


def storm(storms: Sequence[tuple[tuple[str, str], Storm]]) -> Picture:
    """Draw how the users of dead gateways come back, and what that asks of the others.

    Args:
        storms: (English, Chinese) name of a case, and what was played.
    """
    looks = ((GREEN, "-."), (RED, "-"), (BLUE, "--"))
    until = 1.1 * max(one.back_s for _, one in storms if np.isfinite(one.back_s))
    with canvas(
        "Users back, and registrations per second, over time; one line for each case.",
        "已回来的用户、每秒注册数随时间的变化，每种情形一条线。",
        height_in=6.0,
    ) as made:
        upper, lower = made.figure.subplots(2, 1, sharex=True)
        for (name, one), (colour, dash) in zip(storms, looks, strict=False):
            upper.plot(one.at_s, 100 * one.back, dash, color=colour, label=label(*name))
            lower.plot(one.at_s, one.per_s / 1_000, dash, color=colour)
        upper.set_ylabel(label("back (%)", "已回来（%）"))
        lower.set_ylabel(text("registrations\n(thousand/s)", "注册（千次/秒）"))
        lower.set_xlabel(label("time since they died (s)", "死亡后的时间（秒）"))
        lower.set_xlim(0, until)
        lower.set_ylim(bottom=0)
        upper.legend(loc="lower right")
        waited = "; ".join(f"{name[0]}, {one.wait_s:.1f} s" for name, one in storms)
        waited_zh = "；".join(f"{name[1]}，{one.wait_s:.1f} 秒" for name, one in storms)
        upper.set_title(text(f"Longest wait: {waited}", f"最长等待：{waited_zh}"), fontsize=13.5)
    return made.picture


def spread(found: Spread) -> Picture:
    """Draw how many connections each gateway has: before, with some dead, with those restarted."""
    dead = len(found.before) - len(found.after)
    more = found.after.mean() / found.before.mean() - 1
    with canvas(
        "Connections of each gateway, fullest first: before, with some dead, and restarted.",
        "每个网关的连接数，从多到少：之前、死掉一些时、重启之后。",
        height_in=4.8,
    ) as made:
        axes = made.figure.add_subplot()
        for values, words, colour, dash in (
            (found.before, ("before", "之前"), BLUE, "-"),
            (found.after, (f"{dead} dead", f"死掉 {dead} 个"), RED, "--"),
            (found.restarted, (f"{dead} restarted", f"重启 {dead} 个"), ORANGE, ":"),
        ):
            ordered = np.sort(values)[::-1]
            axes.plot(range(1, len(ordered) + 1), ordered, dash, color=colour, label=label(*words))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel(label("gateways, fullest first", "网关，从多到少"))
        axes.set_ylabel(label("connections", "连接数"))
        axes.legend(loc="lower left")
        axes.set_title(
            text(
                f"Survivors carry {more:.0%} more; the restarted ones stay empty",
                f"存活的各多担 {more:.0%}；重启的空着",
            )
        )
    return made.picture
