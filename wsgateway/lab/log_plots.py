"""The pictures of the lesson on logs: partitions, ledgers, lag."""

from collections.abc import Mapping, Sequence

from wsgateway.lab.language import text
from wsgateway.lab.ledger import Totals
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, RED, Picture, canvas, label
from wsgateway.lab.topic import LagPoint, Written

_USERS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (RED, "D"))
_COLUMNS = (
    ("arrived", ("arrived", "到达"), GREEN, ""),
    ("lost", ("promised and lost", "已承诺却丢失"), RED, "xx"),
    ("offline", ("refused: offline", "被拒：offline"), GREY, ""),
    ("unknown", ("unknown", "unknown"), ORANGE, ".."),
)


def partitions(records: Sequence[Written]) -> Picture:
    """Draw the records of a topic: one row per partition, offsets to the right, one mark per user.

    Args:
        records: as `lab.topic.written` returns them.
    """
    users = list(dict.fromkeys(record.user for record in records))
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


def ledgers(totals: Mapping[tuple[str, str], Totals]) -> Picture:
    """Draw message ledgers as bars: what was sent, by what became of it.

    Args:
        totals: (English, Chinese) name of a run -> its totals.
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
        axes.set_yticks(range(len(totals)), [label(*name) for name in totals])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("messages", "消息数"))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=3)
        lost = "; ".join(f"{name[0]} lost {one.lost:,}" for name, one in totals.items())
        lost_zh = "；".join(f"{name[1]} 丢失 {one.lost:,} 条" for name, one in totals.items())
        axes.set_title(text(f"Of what was promised: {lost}", f"已承诺的消息中：{lost_zh}"))
    return made.picture


def _before(totals: Totals, column: str) -> int:
    names = [name for name, *_ in _COLUMNS]
    return sum(int(getattr(totals, name)) for name in names[: names.index(column)])


def lag(points: Sequence[LagPoint]) -> Picture:
    """Draw the lag of a gateway's topic over time; the time it was paused is shaded.

    Args:
        points: as `lab.topic.lag_while_paused` returns them.
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
        axes.step(times, [point.lag for point in points], where="post", color=BLUE)
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
