"""Costs against users, memory against connections, an outbox over time."""

from collections.abc import Mapping, Sequence

from matplotlib.ticker import FixedLocator, NullLocator

from wsgateway.lab.language import text
from wsgateway.lab.loops.maps import Cost
from wsgateway.lab.loops.memory import Weight, each_kib
from wsgateway.lab.loops.slow import MIB, Fed
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, RED, SKY, Picture, canvas, label

_LINES = (
    (("list", "user_of"), ("a list", "一个列表"), ORANGE, "-", "o"),
    (("one map", "user_of"), ("one map, the other way round", "一张表，反着查"), SKY, "--", "s"),
    (("hub", "user_of"), ("two maps (hub)", "两张表（连接表）"), BLUE, "-", "D"),
)
_KIB_PER_GIB = 1 << 20


def cost(costs: Mapping[tuple[str, str], Sequence[Cost]]) -> Picture:
    """Draw what *whose was this connection?* costs, against users: comparisons, and time."""
    with canvas(
        "Cost of one question against users, both axes logarithmic: comparisons, and time.",
        "一次查找的代价随用户数变化，双对数轴：左边是比较次数，右边是时间。",
        height_in=4.9,
    ) as made:
        counted, timed = made.figure.subplots(1, 2, sharex=True)
        for which, name, colour, dash, marker in _LINES:
            users = [one.users for one in costs[which]]
            look = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 7}
            compared = [one.compared for one in costs[which]]
            counted.plot(users, compared, label=label(*name), **look)
            timed.plot(users, [one.us for one in costs[which]], **look)
        for axes in (counted, timed):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(FixedLocator(users))
            axes.xaxis.set_major_formatter(lambda value, _: _short(value))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
            axes.set_xlabel(label("users (log scale)", "用户数（对数轴）"))
        counted.set_ylabel(label("comparisons", "比较次数"))
        timed.set_ylabel(label("time (µs)", "时间（微秒）"))
        made.figure.legend(loc="outside lower center", ncols=2)
        last_list, last_hub = costs["list", "user_of"][-1], costs["hub", "user_of"][-1]
        made.figure.suptitle(
            text(
                f"Among {last_list.users:,} users: {last_list.compared:,.0f} comparisons in a "
                f"list, {last_hub.compared:,.0f} in the hub",
                f"{last_list.users:,} 个用户里找一个：列表比较 {last_list.compared:,.0f} 次，"
                f"连接表 {last_hub.compared:,.0f} 次",
            ),
            fontsize=15,
            x=0.01,
            ha="left",
        )
    return made.picture


def _short(value: float) -> str:
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def memory(weights: Sequence[Weight]) -> Picture:
    """Draw the resident memory of a gateway process against its connections."""
    each = each_kib(weights)
    with canvas(
        "Memory of a gateway process against its idle connections: dots near a straight line.",
        "网关进程的内存随空闲连接数变化：各点都在一条直线附近。",
    ) as made:
        axes = made.figure.add_subplot()
        users = [one.users for one in weights]
        mib = [one.rss_kib / 1024 for one in weights]
        line = [mib[0] + each * count / 1024 for count in users]
        axes.plot(users, line, color=GREY, linestyle="--", linewidth=1.5)
        axes.plot(users, mib, "o", color=BLUE, markersize=10)
        axes.set_xlabel(label("idle connections", "空闲连接数"))
        axes.set_ylabel(label("memory (MiB)", "内存（MiB）"))
        axes.set_ylim(0, max(mib) * 1.15)
        fit = round(_KIB_PER_GIB / each, -3)
        axes.set_title(
            text(
                f"{each:.1f} KiB for each idle connection: {fit:,.0f} to the GiB",
                f"每条空闲连接 {each:.1f} KiB：1 GiB 可容 {fit:,.0f} 条",
            )
        )
    return made.picture


def outbox(bounded: Fed, unbounded: Fed, reader: Fed) -> Picture:
    """Draw three outboxes over time: without bound, with one, and of a client that reads."""
    with canvas(
        "Outbox over time: without a bound it goes on growing, with one it ends there.",
        "发件箱随时间变化：没有上限就一直涨，有上限到此为止。",
        height_in=4.8,
    ) as made:
        axes = made.figure.add_subplot()
        for fed, name, colour, dash in (
            (unbounded, ("does not read, no bound", "不读，没有上限"), RED, "-"),
            (bounded, ("does not read, bound 1 MiB", "不读，上限 1 MiB"), BLUE, "-"),
            (reader, ("reads", "一直在读"), GREEN, "--"),
        ):
            mib = [size / MIB for size in fed.outbox]
            axes.plot(fed.at_s, mib, color=colour, linestyle=dash, label=label(*name))
        closed_s, peak = bounded.at_s[-1], max(bounded.outbox) / MIB
        axes.plot([closed_s], [peak], "X", color=BLUE, markersize=13)
        axes.annotate(
            label(f"closed: {bounded.code}", f"关闭：{bounded.code}"),
            (closed_s, peak),
            xytext=(12, -18),
            textcoords="offset points",
        )
        axes.axhline(1, color=GREY, linewidth=1, zorder=0)
        axes.set_xlabel(label("time since the first frame (s)", "从第一帧起（秒）"))
        axes.set_ylabel(label("in the outbox (MiB)", "发件箱里（MiB）"))
        axes.legend(loc="upper left")
        axes.set_title(
            text(
                f"Bounded: closed with {bounded.code}. Unbounded: {max(unbounded.outbox) / MIB:.1f}"
                " MiB for one client, and growing",
                f"有上限：以 {bounded.code} 关闭。没有上限：一个客户端已占 "
                f"{max(unbounded.outbox) / MIB:.1f} MiB，还在涨",
            )
        )
    return made.picture
