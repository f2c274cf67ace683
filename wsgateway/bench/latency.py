"""`latency`: one-way latency at a low, steady load, beside a bare hop over the same broker."""

import argparse
from dataclasses import replace
from statistics import median

from wsgateway.bench import flags
from wsgateway.bench.ceiling import ceiling
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.findings import Findings, Table, run_table
from wsgateway.bench.hops import Hop, hop
from wsgateway.bench.plots import ecdf
from wsgateway.bench.run import measure
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import Outcome, percentile
from wsgateway.command import Parser

_PERCENTS = (50, 90, 99, 99.9, 100)


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=12.0)
    add = parser.add_argument
    add("--nodes", type=flags.whole(1), default=2, metavar="N", help="gateways [2]")
    add("--rate", type=flags.positive, default=500.0, metavar="MSG/S", help="in all [500]")
    add("--rounds", type=flags.whole(1), default=3, metavar="N", help="that share the time [3]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure by turns a bare hop and a run at the same rate, on the same brokers."""
    # Why: by turns, since other programs come and go, and a broker that has just started (a JVM
    # most of all) is slower than later: what is measured first must not pay for both.
    # 原因：轮流测，因为别的程序时来时去，刚启动的消息代理（尤其是 JVM）也比后来慢：
    # 不能让先测的一方吃亏。
    found = Findings(seed=given.seed)
    shape = flags.shape(given, rate_per_s=given.rate, nodes=given.nodes)
    short = replace(shape, duration_s=shape.duration_s / given.rounds)
    rounds: list[tuple[Outcome, Hop]] = []
    async with Cluster(
        flags.target(given), nodes=given.nodes, router=given.router, kafka=given.kafka
    ) as cluster:
        for number in range(given.rounds):
            one = replace(short, seed=shape.seed + 1_000 * number)
            with screen.bar(f"round {number + 1}: bare hop") as move:
                bare = await hop(cluster, one, progress=move)
            with screen.bar(f"round {number + 1}: gateways") as move:
                outcome = await measure(cluster, one, progress=move)
            found.add(f"round {number + 1}", outcome)
            rounds.append((outcome, bare))
    if given.ceiling:
        found.add("bare relay: the load's own ceiling", await ceiling(short, screen))
    _tell(found, rounds)
    return found


def _tell(found: Findings, rounds: list[tuple[Outcome, Hop]]) -> None:
    first, bare = rounds[0]
    ours = sorted(ms for outcome, _ in rounds for ms in outcome.latencies_ms)
    hops = sorted(ms for _, one in rounds for ms in one.latencies_ms)
    hop_p50 = median(percentile(one.latencies_ms, 50) for _, one in rounds)
    our_p50 = median(outcome.p(50) for outcome, _ in rounds)
    ratio = our_p50 / max(hop_p50, 1e-6)
    late_ms = max(outcome.late_ms for outcome, _ in rounds)
    names = [f"p{percent:g} ms" if percent < 100 else "max ms" for percent in _PERCENTS]
    rows = [("client to client", ours), (f"bare hop through {bare.broker}", hops)]
    found.tables = [
        run_table(f"{first.broker}, {first.shape.rate_per_s:g} msg/s offered", found),
        Table(
            "One-way latency, all rounds",
            ("", *names),
            [(name, *(f"{percentile(ms, p):.2f}" for p in _PERCENTS)) for name, ms in rows],
            note=f"Median of the rounds: p50 {our_p50:.2f} ms, {ratio:.2f} times the bare hop's "
            f"{hop_p50:.2f} ms. The load processes sent at most {late_ms:.2f} ms late (p99).",
        ),
    ]
    found.numbers = {
        "hop_broker": bare.broker,
        "p50_ms": our_p50,
        "p99_ms": median(outcome.p(99) for outcome, _ in rounds),
        "hop_p50_ms": hop_p50,
        "hop_p99_ms": median(percentile(one.latencies_ms, 99) for _, one in rounds),
        "p50_to_hop_ratio": ratio,
    }
    found.plot = lambda: ecdf(
        {
            ("client to client", "客户端到客户端"): ours,
            (f"bare hop through {bare.broker}", f"只经 {bare.broker} 的一跳"): hops,
        }
    )
