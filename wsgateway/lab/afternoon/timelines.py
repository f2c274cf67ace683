"""The afternoon against the clock: what was down, what senders were told, what was waiting."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from wsgateway.lab.afternoon.diary import Diary, Outage
from wsgateway.lab.afternoon.script import Mode
from wsgateway.lab.language import text
from wsgateway.lab.ledger import PROMISED
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, Picture, canvas, label

_BIN_S = 0.25
_SHADE = "#FBE9C6"
_ANSWERS = (
    (PROMISED, ("routed or accepted", "routed 或 accepted"), GREEN, ""),
    (("offline",), ("offline", "offline"), GREY, ""),
    (("unknown",), ("unknown", "unknown"), ORANGE, ".."),
)
_NAMES: Mapping[Mode, str] = {"redis": "Redis", "kafka": "Kafka"}
_DONE = {
    ("receiver", "paused"): ("g2 paused", "g2 暂停"),
    ("receiver", "killed"): ("g2 hangs, is killed, restarts", "g2 卡住、被杀、重启"),
    ("broker", "paused"): ("broker paused", "消息代理暂停"),
    ("broker", "killed"): ("broker killed", "消息代理被杀"),
}


def told(diaries: Mapping[Mode, Diary], *kinds: str) -> Picture:
    """Draw what senders were told, moment by moment, and what was down then.

    Args:
        diaries: mode -> its diary.
        kinds: names of the kinds to count.
    """
    with canvas(
        "What senders were told over time, one panel per mode; outages are shaded.",
        "发件人随时间得到的应答，每种模式一幅；有阴影处是故障。",
        height_in=6.4,
    ) as made:
        panels = made.figure.subplots(len(diaries), sharex=True)
        for axes, (mode, diary) in zip(panels, diaries.items(), strict=True):
            letters = diary.of(*kinds)
            edges = np.arange(0, max(one.due.at_s for one in letters) + _BIN_S, _BIN_S)
            groups = [
                [one.due.at_s for one in letters if one.status in statuses]
                for statuses, *_ in _ANSWERS
            ]
            drawn = axes.hist(
                groups, edges, stacked=True, color=[colour for _, _, colour, _ in _ANSWERS]
            )[2]
            for bars, (_, name, _, hatch) in zip(drawn, _ANSWERS, strict=True):
                for bar in bars:
                    bar.set(hatch=hatch, edgecolor="white", linewidth=0.5)
                if mode == "redis":
                    bars.set_label(label(*name))
            axes.set_ylabel(f"{_NAMES[mode]}\n{label('messages', '条')}")
            axes.set_xlim(0, edges[-1])
            axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
            _shade(axes, diary.outages)
        panels[-1].set_xlabel(label("when the message was due (s)", "消息该发的时刻（秒）"))
        made.figure.legend(loc="outside lower center", ncols=3)
        refused = {
            mode: sum(one.status not in PROMISED for one in diary.of(*kinds))
            for mode, diary in diaries.items()
        }
        panels[0].set_title(
            text(
                f"Told no, or told nothing: Redis {refused['redis']:,}, Kafka {refused['kafka']:,}",
                f"被告知不行或说不准：Redis {refused['redis']:,} 条，Kafka {refused['kafka']:,} 条",
            )
        )
    return made.picture


def waiting(diaries: Mapping[Mode, Diary], *kinds: str) -> Picture:
    """Draw how many promised messages were still on their way, and the broker's own lag.

    Args:
        diaries: mode -> its diary.
        kinds: names of the kinds to count.
    """
    with canvas(
        "Promised and not arrived, over time, one panel per mode; the curve of Redis stays up.",
        "已承诺而未到达的条数随时间变化，每种模式一幅；Redis 的曲线降不回零。",
        height_in=6.4,
    ) as made:
        panels = made.figure.subplots(len(diaries), sharex=True, sharey=True)
        last_s = max(diary.lasted_s for diary in diaries.values())
        times = np.arange(0, last_s + _BIN_S, 0.02)
        highest = 0
        for axes, (mode, diary) in zip(panels, diaries.items(), strict=True):
            counts = diary.waiting_at(times, *kinds)
            highest = max(highest, max(counts))
            axes.plot(
                times,
                counts,
                color=BLUE,
                label=label("promised, not there yet", "已承诺，未到") if mode == "kafka" else None,
            )
            if diary.lags:
                looks = [np.nan if lag.records is None else lag.records for lag in diary.lags]
                axes.plot(
                    [lag.at_s for lag in diary.lags],
                    looks,
                    color=ORANGE,
                    linestyle="--",
                    label=label("lag, as the broker tells it", "积压（代理自己报的）"),
                )
                highest = max(highest, int(np.nanmax(looks)))
            axes.set_ylabel(f"{_NAMES[mode]}\n{label('messages', '条')}")
        for axes, diary in zip(panels, diaries.values(), strict=True):
            axes.set_xlim(0, last_s)
            axes.set_ylim(0, highest * 1.35)
            _shade(axes, diary.outages)
        panels[-1].set_xlabel(label("time (s)", "时间（秒）"))
        made.figure.legend(loc="outside lower center", ncols=2)
        left = {mode: diary.totals(*kinds).lost for mode, diary in diaries.items()}
        panels[0].set_title(
            text(
                f"At the end Redis still owes {left['redis']:,}, Kafka {left['kafka']:,}",
                f"最后还欠着的：Redis {left['redis']:,} 条，Kafka {left['kafka']:,} 条",
            )
        )
    return made.picture


def _shade(axes: Any, outages: list[Outage]) -> None:
    """Shade what was down, as far as the axes reach, and say above what it was."""
    (_, right_s), (_, top) = axes.get_xlim(), axes.get_ylim()
    for outage in outages:
        end_s = min(outage.end_s, right_s)
        axes.axvspan(outage.begin_s, end_s, color=_SHADE, zorder=0, linewidth=0)
        axes.text(
            (outage.begin_s + end_s) / 2,
            top * 0.98,
            text(*_DONE[outage.trouble.victim, outage.done]),
            ha="center",
            va="top",
            fontsize=10.5,
        )
