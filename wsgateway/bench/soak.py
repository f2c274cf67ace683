"""`soak`: a long mixed load, with users who come and go: does memory grow?"""

import argparse
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import linear_regression

from wsgateway.bench import flags, limits
from wsgateway.bench.ceiling import ceiling
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.crew import Crew
from wsgateway.bench.dialect import HEARTBEAT
from wsgateway.bench.findings import Findings, Table, run_table
from wsgateway.bench.plan import Job, churn_jobs, idle_jobs, load_jobs
from wsgateway.bench.plots import timeline
from wsgateway.bench.run import Progress, Watch, measure, new_tag
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Moment, Outcome, Shape
from wsgateway.command import Parser

_CALIBRATE_S = 3.0


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=_CALIBRATE_S)
    add = parser.add_argument
    add("--nodes", type=flags.whole(1), default=2, metavar="N", help="gateways [2]")
    add("--messages", type=flags.whole(1), default=2_000_000, metavar="N", help="to send [2000000]")
    # Why: users who never wait for an ack may have half of a gateway's core. More would wait in
    # their sockets to the end, and a soak is about memory in a load that is carried.
    # 原因：从不等确认的用户最多用网关的半个核。再多就一直堵在各自的套接字里，
    # 而耐久测试要看的是承载得住的负载下的内存。
    add("--load", type=flags.whole(1), default=25, metavar="PERCENT", help="of capacity [25]")
    add("--users", type=flags.whole(0), default=1_000, metavar="N", help="idle besides [1000]")
    add("--churn", type=flags.whole(0), default=20_000, metavar="N", help="come and go [20000]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure the capacity for `--duration`, then send `--messages` at a share of it."""
    found = Findings(seed=given.seed)
    limits.raise_files(given.users // given.nodes + 4 * given.pairs + 1_000)
    shape = flags.shape(given, nodes=given.nodes)
    target = flags.target(given)
    async with Cluster(
        target, nodes=shape.nodes, router=given.router, kafka=given.kafka
    ) as cluster:
        with screen.bar("capacity") as move:
            most = await measure(cluster, shape, progress=move)
        if not most.delivered:
            raise BenchError(f"nothing arrived in the closed loop: {most.faults}")
        rate = most.per_s * given.load / 100
        long = replace(shape, rate_per_s=rate, duration_s=given.messages / rate)
        with screen.bar(f"{given.messages:,} messages") as move:
            soaked, cycles = await _soak(cluster, long, given, move)
    found.add("capacity, closed loop", most)
    found.add(f"soak, {rate:,.0f} msg/s offered", soaked)
    if given.ceiling:
        found.add("bare relay: the load's own ceiling", await ceiling(shape, screen))
    _tell(found, soaked, cycles)
    return found


async def _soak(
    cluster: Cluster, shape: Shape, given: argparse.Namespace, progress: Progress
) -> tuple[Outcome, int]:
    urls, dialect = cluster.urls, cluster.target.dialect
    async with AsyncExitStack() as stack:
        if given.users:
            waiting = idle_jobs(given.users, urls, dialect, tag=new_tag(), heartbeat=HEARTBEAT)
            idle = await stack.enter_async_context(Crew(waiting))
            await idle.ready()
            idle.hold()
        crew = await stack.enter_async_context(Crew(_mixed(cluster, shape, given.churn)))
        await crew.ready()
        watch = Watch(cluster, crew, shape, progress)
        reports = await watch.follow()
    cycles = sum(one.cycles for one in reports)
    return watch.outcome(reports, shape), cycles


def _mixed(cluster: Cluster, shape: Shape, cycles: int) -> list[Job]:
    """Half of the pairs talk within a node, half across; others come and go all the time."""
    assert shape.rate_per_s is not None
    half = replace(
        shape,
        pairs=max(shape.pairs // 2, 1),
        rate_per_s=shape.rate_per_s / 2,
        load_processes=max(shape.load_processes // 2, 1),
    )
    jobs = []
    for across in (True, False):
        one = replace(half, across=across, seed=shape.seed + 100 * across)
        jobs += load_jobs(
            one, cluster.urls, cluster.target.dialect, tag=new_tag(), heartbeat=HEARTBEAT
        )
    per_s = cycles / shape.duration_s
    return jobs + churn_jobs(
        cycles, cluster.urls, cluster.target.dialect, tag=new_tag(), per_s=per_s
    )


def slope_kib_per_min(moments: list[Moment]) -> float:
    """Return how fast the node that grows most does so in the second half, KiB per minute."""
    later = [one for one in moments if one.at_s > 0]
    later = later[len(later) // 2 :]
    if len(later) < 2:
        return 0.0
    at = [one.at_s / 60 for one in later]
    nodes = zip(*(one.rss_kib for one in later), strict=True)
    return max(linear_regression(at, list(rss)).slope for rss in nodes)


def _tell(found: Findings, soaked: Outcome, cycles: int) -> None:
    slope = slope_kib_per_min(soaked.moments)
    per_million = slope / 60 / max(soaked.per_s, 1) * 1e6
    warm = [one for one in soaked.moments if one.at_s >= soaked.shape.duration_s / 10]
    early = max(warm[0].rss_kib) if warm else 0
    late = max(soaked.rss_kib)
    rows = [
        ("messages sent", f"{soaked.sent:,}"),
        ("users who came and went", f"{cycles:,}"),
        ("MiB of the largest gateway after a tenth", f"{early / 1024:.1f}"),
        ("MiB of the largest gateway at the end", f"{late / 1024:.1f}"),
        ("growth in the second half, KiB per minute", f"{slope:,.0f}"),
        ("growth in the second half, KiB per million messages", f"{per_million:,.0f}"),
    ]
    found.tables = [
        run_table(f"{soaked.broker}, {soaked.shape.nodes} gateways", found),
        Table("Memory over the run", ("", "value"), [*rows]),
    ]
    found.numbers = {
        "messages": soaked.sent,
        "cycles": cycles,
        "rss_early_kib": early,
        "rss_late_kib": late,
        "slope_kib_per_min": slope,
        "slope_kib_per_million": per_million,
    }
    found.plot = lambda: timeline(
        soaked.moments,
        (
            f"{soaked.sent:,} messages; memory grows {per_million:,.0f} KiB per million",
            f"共 {soaked.sent:,} 条消息；内存每百万条增长 {per_million:,.0f} KiB",
        ),
    )
