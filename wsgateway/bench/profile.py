"""`profile`: where a loaded gateway spends its CPU time, part by part."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wsgateway.bench import flags
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.findings import Findings, Table
from wsgateway.bench.plots import label
from wsgateway.bench.run import Progress, measure, wsgateway_target
from wsgateway.bench.sampler import INTERVAL_S, counts
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.bench.style import BLUE, drawing
from wsgateway.bench.target import Node, Target
from wsgateway.command import Parser

TITLES = {
    "websocket": ("WebSockets: frames in, outboxes, writes", "WebSocket：收帧、发件箱、写出"),
    "json": ("JSON: decode, check, encode", "JSON：解码、检查、编码"),
    "delivery": ("delivery: limits, dedup, acks", "投递：限制、去重、确认"),
    "lanes": ("lanes: routes and order", "通道：路由与顺序"),
    "router": ("router: publish and subscribe", "路由器：发布与订阅"),
    "presence": ("presence: lookups, heartbeats", "在线状态：查询、心跳"),
    "loop": ("event loop and its system calls", "事件循环及其系统调用"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What gateways were busy with under load.

    Args:
        shares: part -> share of the CPU time, 0 to 1, the largest first; see `TITLES`.
        samples: how many the shares are made of.
        outcome: of the run; sampling is included in its CPU time.
    """

    shares: dict[str, float]
    samples: int
    outcome: Outcome

    def us(self, part: str) -> float:
        """Return the CPU microseconds of a part for one message, both gateways together."""
        return self.shares[part] * self.outcome.cpu_s_per_1000 * 1000


def shares(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    """Return the share of each part in the samples taken between two counts. Pure.

    Raises:
        BenchError: there are none.
    """
    taken = {part: after[part] - before.get(part, 0) for part in after}
    whole = sum(taken.values())
    if not whole:
        raise BenchError("no sample was taken: the load is too low, or the run too short")
    ordered = sorted(taken, key=lambda part: taken[part], reverse=True)
    return {part: taken[part] / whole for part in ordered}


async def profile(
    shape: Shape | None = None,
    *,
    router: str = "redis",
    kafka: str = "tansu",
    progress: Progress | None = None,
) -> Profile:
    """Load gateways that sample themselves.

    Args:
        shape: of the load; the closed loop of a standard run by default.
        router: "redis" or "kafka".
        kafka: "tansu" or "apache".
        progress: told how it goes.

    Raises:
        WsGatewayError: something did not start, or no sample was taken.
    """
    shape = shape or Shape()
    with tempfile.TemporaryDirectory(prefix="wsgateway-bench-") as directory:
        place = Path(directory)
        target = _target(router, place)
        async with Cluster(target, nodes=shape.nodes, router=router, kafka=kafka) as cluster:
            before = await asyncio.to_thread(_read, place)
            outcome = await measure(cluster, shape, progress=progress)
            after = await asyncio.to_thread(_read, place)
    found = shares(before, after)
    return Profile(found, sum(after.values()) - sum(before.values()), outcome)


def _target(router: str, place: Path) -> Target:
    """Return our gateway, started by the sampler."""
    plain = wsgateway_target(router=router)

    def command(node: Node) -> list[str]:
        flags_of_gateway = plain.command(node)[3:]  # behind: python -m wsgateway
        file = str(place / str(node.index))
        return [sys.executable, "-m", "wsgateway.bench.sampler", file, *flags_of_gateway]

    return replace(plain, command=command)


def _read(place: Path) -> Counter[str]:
    seen: Counter[str] = Counter()
    for file in place.iterdir():
        seen.update(counts(file))
    return seen


def table(made: Profile) -> Table:
    """Return the parts, the dearest first."""
    title = f"Where the CPU goes: {made.outcome.per_s:,.0f} msg/s, {made.outcome.broker}"
    rows = [
        (TITLES[part][0], f"{share:.0%}", f"{made.us(part):.1f}")
        for part, share in made.shares.items()
    ]
    note = f"{made.samples:,} samples, one each {1000 * INTERVAL_S:g} ms of CPU time."
    return Table(title, ("part", "share", "CPU us/message, both gateways"), list(rows), note)


def draw(made: Profile) -> bytes:
    """Return a PNG: a bar for each part."""
    parts = list(made.shares)
    with drawing(height_in=2.0 + 0.7 * len(parts)) as drawn:
        axes = drawn.figure.add_subplot()
        costs = [made.us(part) for part in parts]
        bars = axes.barh(range(len(parts)), costs, color=BLUE)
        axes.bar_label(bars, [f"{made.shares[part]:.0%}" for part in parts], padding=4)
        axes.set_yticks(range(len(parts)), ["\n".join(TITLES[part]) for part in parts])
        axes.invert_yaxis()
        axes.set_xlim(0, max(costs) * 1.15)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("CPU of both gateways (µs/message)", "两个网关的 CPU（微秒/条）"))
        en, zh = TITLES[parts[0]]
        axes.set_title(
            f"{sum(costs):.0f} µs for one message; most of it: {en.partition(':')[0]}\n"
            f"每条消息 {sum(costs):.0f} 微秒；最多的是：{zh.partition('：')[0]}"
        )
    return drawn.png


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser)
    parser.add_argument("--nodes", type=flags.whole(1), default=2, metavar="N", help="[2]")
    parser.add_argument(
        "--rate", type=flags.positive, metavar="MSG/S", help="in all [as fast as it goes]"
    )


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Profile a run."""
    found = Findings(seed=given.seed)
    shape = flags.shape(given, nodes=given.nodes, rate_per_s=given.rate)
    with screen.bar("profiled run") as move:
        made = await profile(shape, router=given.router, kafka=given.kafka, progress=move)
    found.add("profiled run", made.outcome)
    found.tables = [table(made)]
    found.numbers = {
        "share": made.shares,
        "cpu_us_per_message": {part: made.us(part) for part in made.shares},
        "samples": made.samples,
    }
    found.plot = lambda: draw(made)
    return found
