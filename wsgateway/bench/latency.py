"""`latency`: one-way latency at a low, steady load, beside a bare hop over the same broker."""

import argparse

from wsgateway.bench import flags
from wsgateway.bench.ceiling import ceiling
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.findings import Findings, Table, run_table
from wsgateway.bench.hops import hop
from wsgateway.bench.plots import ecdf
from wsgateway.bench.run import measure
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import percentile
from wsgateway.command import Parser

_PERCENTS = (50, 90, 99, 99.9, 100)


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=10.0)
    parser.add_argument("--nodes", type=flags.whole(1), default=2, metavar="N", help="[2]")
    parser.add_argument(
        "--rate", type=flags.positive, default=500.0, metavar="MSG/S", help="in all [500]"
    )


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure a run and, on the same brokers, a bare hop at the same rate."""
    found = Findings(seed=given.seed)
    shape = flags.shape(given, rate_per_s=given.rate, nodes=given.nodes)
    target = flags.target(given)
    async with Cluster(
        target, nodes=given.nodes, router=given.router, kafka=given.kafka
    ) as cluster:
        with screen.bar("wsgateway") as move:
            outcome = await measure(cluster, shape, progress=move)
        with screen.bar("bare hop") as move:
            bare = await hop(cluster, shape, progress=move)
    found.add("wsgateway", outcome)
    if given.ceiling:
        found.add("bare relay: the load's own ceiling", await ceiling(shape, screen))
    names = [f"p{percent:g} ms" if percent < 100 else "max ms" for percent in _PERCENTS]
    rows = [
        ("wsgateway, client to client", outcome.latencies_ms),
        (f"bare hop through {bare.broker}", bare.latencies_ms),
    ]
    found.tables = [
        run_table(f"{outcome.broker}, {given.rate:g} msg/s offered", found),
        Table(
            "One-way latency",
            ("", *names),
            [(name, *(f"{percentile(ms, p):.2f}" for p in _PERCENTS)) for name, ms in rows],
            note=f"The load processes sent at most {outcome.late_ms:.2f} ms late (p99).",
        ),
    ]
    ratio = outcome.p(50) / max(percentile(bare.latencies_ms, 50), 1e-6)
    found.tables[1].note += f" Our p50 is {ratio:.2f} times the bare hop's."
    found.numbers = {
        "hop_broker": bare.broker,
        "hop_p50_ms": percentile(bare.latencies_ms, 50),
        "hop_p99_ms": percentile(bare.latencies_ms, 99),
        "p50_to_hop_ratio": ratio,
    }
    found.plot = lambda: ecdf(
        {
            ("client to client, two gateways", "客户端到客户端，经网关"): outcome.latencies_ms,
            (f"bare hop through {bare.broker}", f"只经 {bare.broker} 的一跳"): bare.latencies_ms,
        }
    )
    return found
