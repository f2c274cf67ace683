"""The pictures of the lesson on logs: the map, partitions, arrivals, lag."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from wsgateway.lab.language import text
from wsgateway.lab.picture import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Picture,
    arrow,
    canvas,
    label,
    station,
)
from wsgateway.lab.topic import LagPoint, Written

_USERS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (RED, "D"))


def journey() -> Picture:
    """Draw who stands where when envelopes travel through a log."""
    with canvas(
        "Map: alice - gateway g1 - the topic of g2, three partitions - gateway g2 - bob.",
        "示意图：alice - 网关 g1 - g2 的主题，三个分区 - 网关 g2 - bob。",
        height_in=3.0,
    ) as made:
        axes = made.figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 2.9)
        for x, name, role, colour in (
            (0.7, "alice", ("client", "客户端"), GREY),
            (2.6, "g1", ("gateway", "网关"), BLUE),
            (7.6, "g2", ("gateway", "网关"), GREEN),
            (9.3, "bob", ("client", "客户端"), GREY),
        ):
            station(axes, x, name, role, colour)
        for row, filled in enumerate((5, 3, 4)):
            for column in range(7):
                box = (3.95 + 0.36 * column, 1.85 - 0.42 * row)
                look = {"fc": ORANGE, "alpha": 0.75} if column < filled else {"fc": "white"}
                axes.add_patch(Rectangle(box, 0.32, 0.32, ec=GREY, **look))
        topic = text("topic gateway-g2", "主题 gateway-g2")
        axes.text(5.2, 2.3, topic, ha="center", va="bottom", fontsize=11.5, color="#333333")
        for number, a, b in (("1", 1.3, 1.95), ("2", 3.25, 3.85), ("4", 8.25, 8.65)):
            arrow(axes, a, b, 1.55, number)
        arrow(axes, 6.5, 6.95, 1.85, "3")
        arrow(axes, 6.95, 6.5, 1.15, "5")
        axes.text(
            5,
            0.1,
            text(
                "1 message   2 append to the topic of g2: accepted   3 g2 reads   "
                "4 to bob   5 commit: read so far",
                "1 消息   2 追加到 g2 的主题：accepted   3 g2 读取   "
                "4 交给 bob   5 提交：读到这里了",
            ),
            ha="center",
            va="bottom",
            fontsize=11.5,
        )
    return made.picture


def partitions(records: Sequence[Written]) -> Picture:
    """Draw the records of a topic: one row per partition, offsets to the right, one mark per user.

    Args:
        records: as `lab.topic.written` returns them.
    """
    users = sorted({record.user for record in records})
    rows = len({record.partition for record in records})
    with canvas(
        "Topic: one row per partition, records by offset, one colour and mark per user.",
        "主题：每个分区一行，按位点排列记录，每个用户一种颜色和记号。",
        height_in=3.9,
    ) as made:
        axes = made.figure.add_subplot()
        for user, (colour, mark) in zip(users, _USERS, strict=False):
            own = [record for record in records if record.user == user]
            axes.plot(
                [record.offset for record in own],
                [record.partition for record in own],
                mark,
                color=colour,
                markersize=11,
                label=user,
            )
            for record in own:
                axes.annotate(
                    record.content,
                    (record.offset, record.partition),
                    xytext=(0, 10),
                    textcoords="offset points",
                    ha="center",
                    fontsize=10,
                )
        axes.set_yticks(range(3), [text(f"partition {n}", f"分区 {n}") for n in range(3)])
        axes.set_ylim(2.6, -0.6)
        axes.set_xlim(left=-0.5)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel(label("offset", "位点"))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=len(users))
        axes.set_title(
            text(
                f"{len(users)} users in {rows} partitions: each user keeps to one row",
                f"{len(users)} 个用户落在 {rows} 个分区：每个用户只在一行里",
            )
        )
    return made.picture


def arrivals(order: Sequence[tuple[str, int]]) -> Picture:
    """Draw the order in which messages were sent against the order in which they arrived.

    Args:
        order: (recipient, number in the order of sending), as they arrived.
    """
    users = sorted({user for user, _ in order})
    numbers = [number for _, number in order]
    late = sum(later < earlier for earlier, later in pairwise(numbers))
    with canvas(
        "Arrivals: each user's line only rises; the marks of all together jump back.",
        "到达次序：每个用户的折线只升不降；所有标记合起来看会往回跳。",
        height_in=4.4,
    ) as made:
        axes = made.figure.add_subplot()
        axes.plot(range(1, len(order) + 1), sorted(numbers), ":", color=GREY, zorder=0)
        for user, (colour, mark) in zip(users, _USERS, strict=False):
            own = [(at, number) for at, (to, number) in enumerate(order, 1) if to == user]
            axes.plot(*zip(*own, strict=True), mark + "-", color=colour, markersize=9, label=user)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(label("order of arrival", "到达次序"))
        axes.set_ylabel(label("order of sending", "发送次序"))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes.set_title(
            text(
                f"Each user's line rises; jumps back between users: {late}",
                f"每个用户的线都在上升；用户之间往回跳：{late} 次",
            )
        )
    return made.picture


def lag(points: Sequence[LagPoint], *, broker: str) -> Picture:
    """Draw the lag of a gateway's topic over time; the time it was paused is shaded.

    Args:
        points: as `lab.topic.lag_while_paused` returns them.
        broker: what they were measured on.
    """
    times = [point.at_s for point in points]
    paused = [point.at_s for point in points if point.paused]
    highest = max(points, key=lambda point: point.lag)
    with canvas(
        "Lag over time: flat, rising while the gateway is paused, falling to zero afterwards.",
        "积压随时间的变化：先平，网关暂停期间上升，恢复后降到零。",
        height_in=4.2,
    ) as made:
        axes = made.figure.add_subplot()
        axes.axvspan(paused[0], paused[-1], color=ORANGE, alpha=0.25)
        axes.text(
            (paused[0] + paused[-1]) / 2,
            highest.lag * 1.12,
            text("paused", "暂停", separator=" / "),
            ha="center",
            va="bottom",
        )
        axes.step(times, [point.lag for point in points], where="post", color=BLUE, label=broker)
        axes.legend(loc="upper right")
        axes.set_ylim(0, highest.lag * 1.35)
        axes.set_xlim(0)
        axes.set_xlabel(label("time (s)", "时间（秒）"))
        axes.set_ylabel(label("lag (records)", "积压（条）"))
        usual = max(point.lag for point in points if point.at_s < paused[0])
        after = (one.at_s for one in points if one.at_s > paused[-1] and one.lag <= usual)
        took_s = next(after, times[-1]) - paused[-1]
        axes.set_title(
            text(
                f"Up to {highest.lag} records waited; {took_s:.1f} s later all was as before",
                f"最多积压 {highest.lag} 条；恢复后 {took_s:.1f} 秒回到平常",
            )
        )
    return made.picture
