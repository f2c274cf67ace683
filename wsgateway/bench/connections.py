"""`connections`: what connections that say nothing cost, and whether coming and going leaks."""

import argparse

from wsgateway.bench import flags, limits
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.dialect import HEARTBEAT
from wsgateway.bench.findings import Findings, Table
from wsgateway.bench.idle import Idle
from wsgateway.bench.plots import memory_line
from wsgateway.bench.screen import Screen
from wsgateway.command import Parser, seconds


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    add = parser.add_argument
    add("--users", type=flags.whole(5), default=5_000, metavar="N", help="on one gateway [5000]")
    add("--watch", type=seconds, default=10.0, metavar="S", help="of idle CPU time [10 s]")
    add("--settle", type=seconds, default=2.0, metavar="S", help="before memory is read [2 s]")
    add("--churn", type=flags.whole(0), default=0, metavar="N", help="users who come and go [0]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Fill one gateway step by step, watch it idle, and let users come and go."""
    found = Findings(seed=given.seed)
    limits.raise_files(given.users + 1_000)
    target = flags.target(given)
    async with Cluster(target, nodes=1, router=given.router, kafka=given.kafka) as cluster:
        with screen.bar("connections") as move:
            idle = Idle(cluster, settle_s=given.settle, progress=move)
            silent, beating = await idle.fill(given.users, watch_s=given.watch, heartbeat=HEARTBEAT)
            found.numbers = {
                "users": given.users,
                "kib_per_connection": idle.kib_each,
                "rss_kib": dict(zip(map(str, idle.users), idle.rss_kib, strict=True)),
                "silent_cpu_percent": silent,
                "heartbeat_cpu_percent": beating,
            }
            if given.churn:
                per_s, before, after = await idle.churn(given.churn)
                found.numbers |= {
                    "cycles": given.churn,
                    "cycles_per_s": per_s,
                    "churn_rss_before_kib": before,
                    "churn_rss_after_kib": after,
                }
        broker = cluster.broker
    found.faults = [f"{n:,} idle connections ended with {code}" for code, n in idle.closed.items()]
    found.tables = [Table(f"One gateway, {broker}", ("", "value"), [*_rows(found, idle)])]
    found.plot = lambda: memory_line(idle.users, idle.rss_kib, idle.kib_each)
    return found


def _rows(found: Findings, idle: Idle) -> list[tuple[str, str]]:
    numbers = found.numbers
    rows = [
        ("KiB per idle registered connection", f"{idle.kib_each:.1f}"),
        ("MiB without connections", f"{idle.rss_kib[0] / 1024:.1f}"),
        (f"MiB with {idle.users[-1]:,} connections", f"{idle.rss_kib[-1] / 1024:.1f}"),
        ("CPU, % of a core, users silent", f"{numbers['silent_cpu_percent']:.2f}"),
        ("CPU, % of a core, a heartbeat each 30 s", f"{numbers['heartbeat_cpu_percent']:.2f}"),
    ]
    if "cycles" in numbers:
        before, after = numbers["churn_rss_before_kib"], numbers["churn_rss_after_kib"]
        rows += [
            ("users who came and went", f"{numbers['cycles']:,}"),
            ("of these per second", f"{numbers['cycles_per_s']:,.0f}"),
            ("MiB after a tenth of them", f"{before / 1024:.1f}"),
            ("MiB after all of them", f"{after / 1024:.1f}"),
        ]
    return rows
