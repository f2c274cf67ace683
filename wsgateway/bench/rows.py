"""The rows of each table in `docs/performance.md`, from the runs kept in `docs/data/`. Pure."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from wsgateway.bench.ladder.rungs import RUNGS
from wsgateway.bench.profile import TITLES

_COUNTS = re.compile(r"(\d+) gateways?, ([\d,]+) users")
Json = dict[str, Any]
Rows = Iterable[Sequence[str]]


def ladder(rounds: Sequence[Json]) -> Rows:
    """Yield the rungs: throughput with its spread, gain, latency, CPU time."""
    yield (
        *("rung / 级", "msg/s / 条每秒", "min-max / 最小-最大", "gain / 增益", "p50 ms", "p99 ms"),
        "CPU µs/message / 每条",
    )
    before = 0.0
    for rung in RUNGS:
        full = [one for one in _outcomes(rounds, rung.name) if one["rate_per_s"] is None]
        calm = [one for one in _outcomes(rounds, rung.name) if one["rate_per_s"] is not None]
        per_s = median(one["per_s"] for one in full)
        yield (
            " / ".join(dict.fromkeys(rung.titles)),
            f"{per_s:,.0f}",
            _spread(one["per_s"] for one in full),
            f"× {per_s / before:.2f}" if before else "",
            *(f"{median(one[p] for one in calm):.2f}" for p in ("p50", "p99")),
            f"{1000 * median(one['cpu_s_per_1000'] for one in full):.0f}",
        )
        before = per_s


def compare(rounds: Sequence[Json]) -> Rows:
    """Yield ours and the peers, by throughput; the ratio says how many times theirs ours is."""
    yield (
        *("server / 服务", "msg/s / 条每秒", "min-max / 最小-最大", "ours is × / 我们是其"),
        *("p50 ms", "p99 ms", "KiB/connection / 每连接", "lost / 丢失", "reordered / 乱序"),
    )
    servers = rounds[-1]["numbers"]["compare"]
    ours, *_ = servers
    for one in sorted(servers, key=lambda one: _middle(one["per_s"]), reverse=True):
        per_s = _middle(one["per_s"])
        yield (
            one["server"],
            f"{per_s:,.0f}",
            _spread(one["per_s"]),
            f"{_middle(ours['per_s']) / per_s:.2f}" if per_s and one is not ours else "",
            *(f"{_middle(one[what]):.2f}" for what in ("p50_ms", "p99_ms")),
            f"{_middle(one['kib_per_connection']):.1f}",
            *(f"{one[what]:,}" for what in ("lost", "reordered")),
        )


def waterfall(rounds: Sequence[Json]) -> Rows:
    """Yield the stretches of a message's way."""
    yield "stretch / 一段", "p25 µs", "p50 µs", "p75 µs"
    made = rounds[-1]["numbers"]["waterfall"]
    for one in (*made["segments"], made["whole"]):
        quartiles = (f"{one[p]:,.0f}" for p in ("p25_us", "p50_us", "p75_us"))
        yield f"{one['title_en']} / {one['title_zh']}", *quartiles


def profile(rounds: Sequence[Json]) -> Rows:
    """Yield the parts of a gateway and their CPU time."""
    yield "part / 部分", "share / 占比", "CPU µs/message / 每条"
    numbers = rounds[-1]["numbers"]
    for part, share in numbers["share"].items():
        us = numbers["cpu_us_per_message"][part]
        yield " / ".join(TITLES[part]), f"{share:.0%}", f"{us:.1f}"


def costs(rounds: Sequence[Json]) -> Rows:
    """Yield what a message costs with more users and gateways."""
    yield "run / 运行", "msg/s / 条每秒", "gateways: CPU µs/message / 网关每条", "broker / 代理"
    for one in (one for run in rounds for one in run["outcomes"]):
        chinese = _COUNTS.sub(r"\1 个网关，\2 个用户", one["name"])
        yield (
            f"{one['name']} / {chinese}",
            f"{one['per_s']:,.0f}",
            f"{1000 * one['cpu_s_per_1000']:.0f}",
            f"{1000 * one['broker_cpu_s_per_1000']:.1f}",
        )


def latency(rounds: Sequence[Json]) -> Rows:
    """Yield one-way latency beside a bare hop, a row per broker: medians of its runs."""
    yield (
        "broker / 代理",
        "p50 ms",
        "p99 ms",
        "bare hop / 单独一跳：p50 ms",
        "p99 ms",
        "p50 ratio / 倍数",
    )
    times = ("p50_ms", "p99_ms", "hop_p50_ms", "hop_p99_ms", "p50_to_hop_ratio")
    runs = [run["numbers"] for run in rounds]
    for broker in dict.fromkeys(one["hop_broker"] for one in runs):
        mine = [one for one in runs if one["hop_broker"] == broker]
        yield broker, *(f"{median(one[time] for one in mine):.2f}" for time in times)


def connections(rounds: Sequence[Json]) -> Rows:
    """Yield what a silent connection costs."""
    yield "idle connections / 空闲连接", "value / 数值"
    numbers = rounds[-1]["numbers"]
    for english, chinese, name, form in (
        ("registered users", "注册用户", "users", ",d"),
        ("KiB per connection", "每连接 KiB", "kib_per_connection", ".1f"),
        ("CPU, % of a core, silent", "CPU，单核百分比，沉默时", "silent_cpu_percent", ".2f"),
        ("the same, with heartbeats", "同上，有心跳时", "heartbeat_cpu_percent", ".2f"),
        ("users who came and went", "来了又走的用户", "cycles", ",d"),
        ("MiB after a tenth of them", "其中十分之一之后的 MiB", "churn_rss_before_kib", "KiB"),
        ("MiB after all of them", "全部之后的 MiB", "churn_rss_after_kib", "KiB"),
    ):
        if name in numbers:
            value = numbers[name]
            shown = f"{value / 1024:.1f}" if form == "KiB" else f"{value:{form}}"
            yield f"{english} / {chinese}", shown


def overload(rounds: Sequence[Json]) -> Rows:
    """Yield how long calm users waited, alone and while others flood the machine."""
    yield (
        "calm users / 平静用户",
        "p50 ms",
        "p99 ms",
        "min-max / 最小-最大",
        "× alone / 与独自时之比",
    )
    for name, titles, ratio in (
        ("calm users alone", "alone / 没有旁人时", None),
        ("calm users beside them", "beside the flood / 旁边有洪流时", "calm_p99_ratio"),
        (
            "calm users of other gateways",
            "of other gateways, meanwhile / 同一时间，别的网关上",
            "calm_p99_aside_ratio",
        ),
    ):
        calm = [one for run in rounds for one in run["outcomes"] if one["name"] == name]
        yield (
            titles,
            f"{median(one['p50'] for one in calm):.1f}",
            f"{median(one['p99'] for one in calm):.1f}",
            _spread((one["p99"] for one in calm), ".1f"),
            f"{median(run['numbers'][ratio] for run in rounds):.1f}" if ratio else "",
        )


def plan(rounds: Sequence[Json]) -> Rows:
    """Yield the reckoning of a deployment, as lesson 9 makes it."""
    yield "what / 项目", "value / 数值", "from / 由来"
    for english, chinese, value, how in rounds[-1]["numbers"]["plan"]:
        yield f"{english} / {chinese}", value, how


def _outcomes(rounds: Sequence[Json], name: str) -> list[Json]:
    return [one for run in rounds for one in run["outcomes"] if one["target"] == name]


def _middle(values: Sequence[float]) -> float:
    """Return the median; NaN, and so "nan" in the table, if nothing was measured."""
    return median(values) if values else math.nan


def _spread(values: Iterable[float], form: str = ",.0f") -> str:
    ordered = sorted(values)
    return f"{ordered[0]:{form}}-{ordered[-1]:{form}}" if ordered else ""


TABLES: dict[str, Callable[[Sequence[Json]], Rows]] = {
    "compare": compare,
    "ladder": ladder,
    "waterfall": waterfall,
    "profile": profile,
    "costs": costs,
    "latency": latency,
    "connections": connections,
    "overload": overload,
    "plan": plan,
}
