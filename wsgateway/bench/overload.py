"""`overload`: several times what the cluster can do, while some users go on calmly.

Other calm users talk through a second cluster on the same machine, which nobody floods: what
happens to them is the machine's doing, for all share its cores, and not the gateways'.
"""

import argparse
from dataclasses import replace

from wsgateway.bench import flags
from wsgateway.bench.ceiling import ceiling
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.crew import Crew
from wsgateway.bench.findings import RUN_COLUMNS, Findings, Table, run_row
from wsgateway.bench.plan import load_jobs
from wsgateway.bench.plots import timeline
from wsgateway.bench.run import Progress, Watch, measure, new_tag
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.command import Parser

_CALIBRATE_S = 3.0
_GREEDY, _CALM, _ASIDE = "greedy", "calm", "aside"


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=10.0)
    add = parser.add_argument
    add("--nodes", type=flags.whole(1), default=2, metavar="N", help="gateways [2]")
    add("--times", type=flags.positive, default=3.0, metavar="X", help="of the capacity [3]")
    add("--calm-pairs", type=flags.whole(1), default=20, metavar="N", help="who go on [20]")
    add("--calm-rate", type=flags.positive, default=100.0, metavar="MSG/S", help="in all [100]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure the capacity, calm users alone, and then calm users beside those who ask too much."""
    found = Findings(seed=given.seed)
    shape = flags.shape(given, nodes=given.nodes)
    calm = replace(
        shape, pairs=given.calm_pairs, rate_per_s=given.calm_rate, load_processes=1, seed=7
    )
    target = flags.target(given)

    def start() -> Cluster:
        return Cluster(target, nodes=shape.nodes, router=given.router, kafka=given.kafka)

    async with start() as cluster, start() as other:
        with screen.bar("capacity") as move:
            most = await measure(
                cluster,
                replace(shape, duration_s=min(_CALIBRATE_S, shape.duration_s)),
                progress=move,
            )
        if not most.delivered:
            raise BenchError(f"nothing arrived in the closed loop: {most.faults}")
        with screen.bar("calm users alone") as move:
            before = await measure(cluster, calm, progress=move)
        greedy = replace(shape, rate_per_s=given.times * most.per_s)
        with screen.bar(f"{greedy.rate_per_s:,.0f} msg/s offered") as move:
            flooded, beside, aside = await _all(cluster, other.urls, greedy, calm, move)
    found.add("capacity, closed loop", most)
    found.add("calm users alone", before)
    found.add(f"greedy users, {given.times:g} x capacity", flooded)
    found.add("calm users beside them", beside)
    found.add("calm users of other gateways", aside)
    if given.ceiling:
        found.add("bare relay: the load's own ceiling", await ceiling(shape, screen))
    _tell(found, before, flooded, beside, aside, most)
    return found


async def _all(
    cluster: Cluster, other_urls: list[str], greedy: Shape, calm: Shape, progress: Progress
) -> tuple[Outcome, Outcome, Outcome]:
    urls, dialect = cluster.urls, cluster.target.dialect
    jobs = load_jobs(greedy, urls, dialect, tag=new_tag(), group=_GREEDY, background=True)
    jobs += load_jobs(calm, urls, dialect, tag=new_tag(), group=_CALM)
    jobs += load_jobs(calm, other_urls, dialect, tag=new_tag(), group=_ASIDE)
    async with Crew(jobs) as crew:
        await crew.ready()
        watch = Watch(cluster, crew, greedy, progress)
        reports = await watch.follow()

    def of(group: str, shape: Shape) -> Outcome:
        return watch.outcome([one for one in reports if one.group == group], shape)

    return of(_GREEDY, greedy), of(_CALM, calm), of(_ASIDE, calm)


def _tell(
    found: Findings,
    before: Outcome,
    flooded: Outcome,
    beside: Outcome,
    aside: Outcome,
    most: Outcome,
) -> None:
    ratio = beside.p(99) / max(before.p(99), 1e-6)
    aside_ratio = aside.p(99) / max(before.p(99), 1e-6)
    peaks = [max(one) for one in zip(*(m.rss_kib for m in flooded.moments), strict=True)]
    grown_kib = max(b - a for a, b in zip(flooded.idle_rss_kib, peaks, strict=True))
    found.tables = [
        _runs(f"{flooded.broker}, {flooded.shape.nodes} gateways", found),
        _fates(
            flooded,
            f"p99 of the calm users: {before.p(99):.2f} ms before, {beside.p(99):.2f} ms "
            f"beside, ratio {ratio:.2f}; through other gateways {aside.p(99):.2f} ms, ratio "
            f"{aside_ratio:.2f}. A gateway's memory grew by {grown_kib / 1024:.0f} MiB "
            f"at most. The load processes sent at most {flooded.late_ms:.0f} ms late (p99).",
        ),
    ]
    found.numbers = {
        "capacity_per_s": most.per_s,
        "offered_per_s": flooded.shape.rate_per_s,
        "calm_p99_before_ms": before.p(99),
        "calm_p99_beside_ms": beside.p(99),
        "calm_p99_ratio": ratio,
        "calm_p99_aside_ms": aside.p(99),
        "calm_p99_aside_ratio": aside_ratio,
        "rss_peak_kib": peaks,
        "rss_grown_kib": grown_kib,
        "held": flooded.held,
    }
    found.plot = lambda: timeline(
        flooded.moments,
        (
            f"In overload: memory up {grown_kib / 1024:.0f} MiB at most, others' p99 x {ratio:.1f}",
            f"过载时：内存最多增加 {grown_kib / 1024:.0f} MiB，其他用户的 p99 变为 {ratio:.1f} 倍",
        ),
    )


def _fates(flooded: Outcome, note: str) -> Table:
    refused = sum(flooded.refused.values())
    rows = [
        ("offered", flooded.sent + flooded.held),
        ("not sent: the gateway read no further, their socket was full", flooded.held),
        ("sent", flooded.sent),
        ("acked", flooded.sent - flooded.unanswered - refused),
        *((f"refused: {code}", count) for code, count in flooded.refused.items()),
        ("no answer", flooded.unanswered),
    ]
    title = "What became of what the greedy users offered"
    return Table(title, ("", "messages"), [(name, f"{n:,}") for name, n in rows], note=note)


def _runs(title: str, found: Findings) -> Table:
    """Return the table of the runs, without cost: two of them shared the gateways."""
    shown = slice(RUN_COLUMNS.index("CPU ms/1,000: nodes"))
    rows = [run_row(name, outcome)[shown] for name, outcome in found.outcomes]
    return Table(title, RUN_COLUMNS[shown], [*rows])
