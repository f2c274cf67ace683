"""The pictures of lesson 4: what nodes read, where a gap lies, what batching does under load."""

from collections.abc import Mapping, Sequence

from wsgateway.bench.run import Outcome
from wsgateway.lab.language import text
from wsgateway.lab.picture import BLUE, GREEN, ORANGE, RED, SKY, Picture, canvas, label
from wsgateway.lab.publish.gap import Gap


def nodes(own: Mapping[int, Sequence[int]], shared: Mapping[int, Sequence[int]]) -> Picture:
    """Draw how many messages one node reads, against how many nodes there are.

    Args:
        own: nodes -> what each read, with a channel for each.
        shared: the same with one channel for all.
    """
    most = max(shared)
    ratio = max(shared[most]) / max(own[most])
    with canvas(
        "Two lines: messages that one node reads, against the number of nodes; with a channel for "
        "each it falls, with one channel for all it stays.",
        "两条线：横轴是节点数，纵轴是一个节点读到的消息数；各有频道时下降，共用频道时不变。",
        height_in=4.4,
    ) as made:
        axes = made.figure.add_subplot()
        for found, colour, marker, name in (
            (shared, ORANGE, "s", ("one channel for all", "大家共用一个频道")),
            (own, BLUE, "o", ("a channel for each", "每个节点一个频道")),
        ):
            reads = [max(counts) for counts in found.values()]
            axes.plot(list(found), reads, marker=marker, color=colour, label=label(*name))
        axes.set_ylim(0, None)
        axes.set_xticks(list(shared))
        axes.set_xlabel(label("nodes", "节点数"))
        axes.set_ylabel(label("messages read by one", "一个节点读到的消息"))
        axes.legend(loc="center right")
        axes.set_title(
            text(
                f"With {most} nodes each reads {ratio:g} times as much as it needs",
                f"{most} 个节点共用一个频道时，每个都读了所需的 {ratio:g} 倍",
            )
        )
    return made.picture


def gaps(found: Sequence[Gap]) -> Picture:
    """Draw each message as a dot, at the time it was sent: arrived or lost."""
    with canvas(
        "Rows of dots, one row per run, one dot per message: arrived, or lost in the gap after the "
        "line was cut.",
        "每次运行一行点，每条消息一个点：到达，或者在线路断掉之后的空窗里丢失。",
        height_in=2.2 + 0.9 * len(found),
    ) as made:
        axes = made.figure.add_subplot()
        for row, one in enumerate(found):
            lost = set(one.lost)
            for number, at_s in enumerate(one.sent_s):
                gone = number in lost
                axes.plot(
                    at_s - one.cut_s,
                    row,
                    "x" if gone else "o",
                    color=RED if gone else GREEN,
                    markersize=8 if gone else 6,
                )
            if lost:
                begin_s = one.sent_s[one.lost[0]] - one.cut_s
                axes.axvspan(
                    begin_s,
                    begin_s + one.length_s,
                    ymin=(row + 0.15) / len(found),
                    ymax=(row + 0.85) / len(found),
                    color=SKY,
                    alpha=0.25,
                )
        axes.axvline(0, color=ORANGE, linewidth=2)
        axes.set_ylim(-0.5, len(found) - 0.5)
        names = [
            label(f"canary {1000 * one.canary_s:g} ms", f"金丝雀 {1000 * one.canary_s:g} 毫秒")
            for one in found
        ]
        axes.set_yticks(range(len(found)), [name.replace(" / ", "\n") for name in names])
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("sent, since the line was cut (s)", "发送时刻，从线路断掉算起（秒）"))
        lost_en = " and ".join(f"{len(one.lost)}" for one in found)
        lost_zh = " 条和 ".join(f"{len(one.lost)}" for one in found)
        axes.set_title(
            text(
                f"Lost in silence: {lost_en} messages, every one of them `routed`",
                f"悄无声息地丢了：{lost_zh} 条，每一条都是 `routed`",
            )
        )
    return made.picture


def load(without: Sequence[Outcome], together: Sequence[Outcome]) -> Picture:
    """Draw latency against the load that was delivered, with batches and without.

    Args:
        without, together: runs of each under the same loads, the heaviest last.
    """
    with canvas(
        "Two lines: median latency against messages delivered per second, each message published "
        "alone, and what waits published together.",
        "两条线：横轴是每秒送达数，纵轴是延迟中位数；一条逐条发布，一条把等待的一起发布。",
        height_in=4.6,
    ) as made:
        axes = made.figure.add_subplot()
        for found, colour, marker, name in (
            (without, ORANGE, "s", ("each command alone", "每条命令单独发")),
            (together, BLUE, "o", ("what waits goes together", "等着的一起发布")),
        ):
            axes.plot(
                [one.per_s for one in found],
                [one.p(50) for one in found],
                marker=marker,
                color=colour,
                label=label(*name),
            )
        axes.set_yscale("log")
        axes.set_xlim(0, None)
        axes.set_xlabel(label("delivered (messages/s)", "送达（条/秒）"))
        axes.set_ylabel(label("median latency (ms)", "延迟中位数（毫秒）"))
        axes.legend(loc="lower right")
        most = without[-1].shape.rate_per_s or 0.0
        alone_ms, together_ms = without[-1].p(50), together[-1].p(50)
        axes.set_title(
            text(
                f"Offered {most:,.0f}/s: alone {alone_ms:,.1f} ms, together {together_ms:,.1f} ms",
                f"每秒 {most:,.0f} 条：单独发 {alone_ms:,.1f} ms，一起发 {together_ms:,.1f} ms",
            )
        )
    return made.picture
