"""`python -m wsgateway.bench.tables [FILE...]`: put measured numbers into `docs/performance.md`.

Each FILE is the `--json` of a run. What the page needs of it is kept in `docs/data/`, one file per
command, and every table between `<!-- name:begin -->` and `<!-- name:end -->` is written anew.
Several files of one command are rounds of it. Run it at the root of the project.
"""

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from wsgateway.bench.ladder.rungs import RUNGS
from wsgateway.bench.profile import TITLES

DATA = Path("docs/data")
PAGE = Path("docs/performance.md")
_KEPT = (
    *("name", "target", "per_s", "sent", "lost", "doubled", "reordered", "unanswered"),
    *("broker", "cpu_s_per_1000", "broker_cpu_s_per_1000", "rss_kib"),
)
_COUNTS = re.compile(r"(\d+) gateways?, ([\d,]+) users")
Json = dict[str, Any]
Rows = Iterable[Sequence[str]]


def kept(document: Mapping[str, Any]) -> Json:
    """Return what the page needs of a run's JSON file."""
    return {
        "command": document["command"],
        "router": document["arguments"].get("router", "redis"),
        "machine": document["machine"],
        "numbers": document["numbers"],
        "faults": document["faults"],
        "outcomes": [
            {key: one[key] for key in _KEPT if key in one}
            | {"rate_per_s": one["shape"]["rate_per_s"]}
            | {key: one["latency_ms"][key] for key in ("p50", "p99")}
            for one in document["outcomes"]
        ],
    }


def place(run: Mapping[str, Any]) -> str:
    """Return the name of the file in `docs/data/` that a run belongs into."""
    name = str(run["command"])
    if name == "latency":
        return name  # one table for all brokers
    if name == "throughput" and "cpu_s_per_1000" in run["numbers"]:
        name = "costs"
    return name if run["router"] == "redis" else f"{name}-{run['router']}"


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
    """Yield one-way latency beside a bare hop, a row per broker."""
    yield (
        "broker / 代理",
        "p50 ms",
        "p99 ms",
        "bare hop / 单独一跳：p50 ms",
        "p99 ms",
        "p50 ratio / 倍数",
    )
    for numbers in (run["numbers"] for run in rounds):
        times = ("p50_ms", "p99_ms", "hop_p50_ms", "hop_p99_ms", "p50_to_hop_ratio")
        yield numbers["hop_broker"], *(f"{numbers[one]:.2f}" for one in times)


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


def plan(rounds: Sequence[Json]) -> Rows:
    """Yield the reckoning of a deployment, as lesson 9 makes it."""
    yield "what / 项目", "value / 数值", "from / 由来"
    for english, chinese, value, how in rounds[-1]["numbers"]["plan"]:
        yield f"{english} / {chinese}", value, how


def machine(rounds: Sequence[Json]) -> str:
    """Return on what it was measured."""
    facts, outcomes, numbers = (rounds[-1][key] for key in ("machine", "outcomes", "numbers"))
    named = outcomes[0] if outcomes else numbers.get("waterfall", numbers)
    broker = f", {named['broker']}" if "broker" in named else ""
    cores = f"{facts['usable_cores']} cores / {facts['usable_cores']} 核"
    return f"*{cores}, {facts['cpu']}, Python {facts['python']}{broker}*"


TABLES: dict[str, Callable[[Sequence[Json]], Rows]] = {
    "compare": compare,
    "ladder": ladder,
    "waterfall": waterfall,
    "profile": profile,
    "costs": costs,
    "latency": latency,
    "connections": connections,
    "plan": plan,
}


def rendered(name: str, rounds: Sequence[Json]) -> str:
    """Return a table as Markdown; its last row says on what it was measured."""
    head, *rows = TABLES[name](rounds)
    last = [machine(rounds), *[""] * (len(head) - 1)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows, last)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def put_in(page: str, name: str, text: str) -> str:
    """Return `page` with `text` between the markers of `name`."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL)


def _outcomes(rounds: Sequence[Json], name: str) -> list[Json]:
    return [one for run in rounds for one in run["outcomes"] if one["target"] == name]


def _middle(values: Sequence[float]) -> float:
    """Return the median; NaN, and so "nan" in the table, if nothing was measured."""
    return median(values) if values else math.nan


def _spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[0]:,.0f}-{ordered[-1]:,.0f}" if ordered else ""


def main() -> int:
    """Take in the files, then write the page."""
    taken: dict[str, list[Json]] = {}
    for file in sys.argv[1:]:
        run = kept(json.loads(Path(file).read_text("utf-8")))
        taken.setdefault(place(run), []).append(run)
    DATA.mkdir(exist_ok=True)
    for name, rounds in taken.items():
        text = json.dumps(rounds, indent=1, ensure_ascii=False)
        (DATA / f"{name}.json").write_text(f"{text}\n", "utf-8")
    page = PAGE.read_text("utf-8")
    for name in TABLES:
        if (DATA / f"{name}.json").exists():
            rounds = json.loads((DATA / f"{name}.json").read_text("utf-8"))
            page = put_in(page, name, rendered(name, rounds))
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
