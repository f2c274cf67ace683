"""`connections`: what connections that say nothing cost, and whether coming and going leaks."""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from wsgateway.bench import flags, limits
from wsgateway.bench.cluster import Cluster, cpu_s, rss_kib
from wsgateway.bench.crew import Crew
from wsgateway.bench.dialect import HEARTBEAT
from wsgateway.bench.findings import Findings, Table
from wsgateway.bench.plan import Counts, Job, churn_jobs, idle_jobs
from wsgateway.bench.plots import memory_line
from wsgateway.bench.run import Progress, new_tag, wsgateway_target
from wsgateway.bench.screen import Screen
from wsgateway.bench.target import Target
from wsgateway.command import Parser, seconds

_STEPS = 5
_SETTLE_S = 2.0
_FIRST_SHARE = 10  # a tenth of the cycles comes before the first look at memory


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    add = parser.add_argument
    add("--users", type=flags.whole(_STEPS), default=5_000, metavar="N", help="on one node [5000]")
    add("--watch", type=seconds, default=10.0, metavar="S", help="of idle CPU time [10 s]")
    add("--churn", type=flags.whole(0), default=0, metavar="N", help="users who come and go [0]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Fill one gateway step by step, watch it idle, and let users come and go."""
    found = Findings(seed=given.seed)
    limits.raise_files(given.users + 1_000)
    target = wsgateway_target(router=given.router)
    async with Cluster(target, nodes=1, router=given.router, kafka=given.kafka) as cluster:
        with screen.bar("idle connections") as move:
            users, memory, found.numbers = await _fill(
                cluster, given.users, given.watch, HEARTBEAT, found, move
            )
        if given.churn:
            with screen.bar("coming and going") as move:
                found.numbers |= await _churn(cluster, given.churn, found, move)
        broker = cluster.broker
    numbers = found.numbers
    each_kib = numbers["kib_per_connection"]
    rows = [
        ("KiB per idle registered connection", f"{each_kib:.1f}"),
        ("MiB of the gateway, without connections", f"{memory[0] / 1024:.1f}"),
        (f"MiB of the gateway, {users[-1]:,} connections", f"{memory[-1] / 1024:.1f}"),
        ("idle CPU, % of a core, silent users", f"{numbers['silent_cpu_percent']:.2f}"),
        ("idle CPU, % of a core, users with heartbeat", f"{numbers['heartbeat_cpu_percent']:.2f}"),
    ]
    if given.churn:
        rows += [
            (f"cycles per second ({given.churn:,} cycles)", f"{numbers['cycles_per_s']:,.0f}"),
            ("MiB after a tenth of the cycles", f"{numbers['churn_rss_before_kib'] / 1024:.1f}"),
            ("MiB after all of them", f"{numbers['churn_rss_after_kib'] / 1024:.1f}"),
        ]
    found.tables = [Table(f"One gateway, {given.users:,} users, {broker}", ("", "value"), [*rows])]
    found.plot = lambda: memory_line(users, memory, each_kib)
    return found


async def idle_kib(target: Target, users: int, *, progress: Progress | None = None) -> float:
    """Return the KiB of a node's memory that one idle registered connection takes.

    Args:
        target: any server.
        users: how many connect, to one node.
        progress: told how it goes.
    """
    limits.raise_files(users + 1_000)
    found = Findings()
    async with Cluster(target, nodes=1) as cluster:
        _, _, numbers = await _fill(cluster, users, 0.0, None, found, progress)
    return float(numbers["kib_per_connection"])


async def _fill(
    cluster: Cluster,
    users: int,
    watch_s: float,
    heartbeat: bytes | None,
    found: Findings,
    progress: Progress | None,
) -> tuple[list[int], list[int], dict[str, float]]:
    """Return how many users there were, the memory with each, KiB, and what is idle costs."""
    dialect = cluster.target.dialect
    counts, memory = [0], await _settled(cluster)
    numbers: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        crews = []
        for step in range(_STEPS):
            part = users * (step + 1) // _STEPS - counts[-1]
            jobs = idle_jobs(part, cluster.urls, dialect, tag=new_tag(), heartbeat=heartbeat)
            crews.append(await stack.enter_async_context(Crew(jobs)))
            await crews[-1].ready()
            counts.append(counts[-1] + part)
            memory += await _settled(cluster)
            if progress is not None:
                progress((step + 1) / (_STEPS + 2), f"{counts[-1]:,} users")
        if watch_s:
            numbers["silent_cpu_percent"] = await _busy_percent(cluster, watch_s)
            for crew in crews:
                crew.hold()
            numbers["heartbeat_cpu_percent"] = await _busy_percent(cluster, watch_s)
        for crew in crews:
            for report in await crew.release():
                found.faults += [
                    f"{times:,} idle connections ended with {code}"
                    for code, times in report.closed.items()
                ]
    numbers["kib_per_connection"] = (memory[-1] - memory[0]) / users
    numbers["users"] = users
    return counts, memory, numbers


async def _churn(
    cluster: Cluster, cycles: int, found: Findings, progress: Progress
) -> dict[str, float]:
    dialect, urls = cluster.target.dialect, cluster.urls
    first = max(cycles // _FIRST_SHARE, 1)
    before: list[int] = []
    began_s = time.monotonic()
    for share in (first, cycles - first):
        jobs = churn_jobs(share, urls, dialect, tag=new_tag(), processes=2)
        began_s = time.monotonic()
        await _let(jobs, lambda counts: progress(counts.cycles / cycles, f"{counts.cycles:,}"))
        took_s = time.monotonic() - began_s
        before += await _settled(cluster)
    cluster.check()
    return {
        "cycles": cycles,
        "cycles_per_s": (cycles - first) / took_s,
        "churn_rss_before_kib": before[0],
        "churn_rss_after_kib": before[-1],
    }


async def _let(jobs: Sequence[Job], note: Callable[[Counts], None]) -> None:
    async with Crew(jobs) as crew:
        await crew.ready()
        await crew.talk(time.monotonic_ns(), note)


async def _settled(cluster: Cluster) -> list[int]:
    await asyncio.sleep(_SETTLE_S)
    cluster.check()
    return rss_kib(cluster.node_pids)


async def _busy_percent(cluster: Cluster, watch_s: float) -> float:
    before_s, began_s = cpu_s(cluster.node_pids), time.monotonic()
    await asyncio.sleep(watch_s)
    return 100 * (cpu_s(cluster.node_pids) - before_s) / (time.monotonic() - began_s)
