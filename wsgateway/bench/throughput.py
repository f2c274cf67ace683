"""`throughput`: the most messages per second, latency against load, and how cost grows."""

import argparse
from dataclasses import replace
from itertools import product

from wsgateway.bench import flags, limits
from wsgateway.bench.ceiling import ceiling
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.findings import Findings, Table, run_table
from wsgateway.bench.plots import cost_bars, load_curve
from wsgateway.bench.run import measure, run
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.command import Parser

_DEFAULT_STEPS = "10,25,50,75,90"


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser)
    add = parser.add_argument
    add("--nodes", type=flags.several(1), default=[2], metavar="N[,N]", help="gateways [2]")
    add(
        "--users",
        type=flags.several(0),
        default=[0],
        metavar="N[,N]",
        help="idle registered users besides [0]; several values: what a message costs with each",
    )
    add(
        "--steps",
        type=flags.several(1),
        default=flags.several(1)(_DEFAULT_STEPS),
        metavar="PERCENT[,...]",
        help=f"open loops, in percent of the closed loop [{_DEFAULT_STEPS}]",
    )


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure the load curve, or, with several users or nodes, what a message costs with each."""
    if len(given.nodes) > 1 or len(given.users) > 1:
        return await _costs(given, screen)
    found = Findings(seed=given.seed)
    limits.raise_files(given.users[0] // given.nodes[0] + 4 * given.pairs + 1_000)
    shape = flags.shape(given, nodes=given.nodes[0], idle_users=given.users[0])
    target = flags.target(given)
    steps: list[Outcome] = []
    async with Cluster(target, nodes=shape.nodes, router=given.router, kafka=given.kafka) as nodes:
        with screen.bar("closed loop") as move:
            most = await measure(nodes, shape, progress=move)
        if not most.delivered:
            raise BenchError(f"nothing arrived in {shape.duration_s:g} s: {most.faults}")
        found.add(f"closed loop, {shape.in_flight} in flight", most)
        for percent in given.steps:
            rate = most.per_s * percent / 100
            with screen.bar(f"{rate:,.0f} msg/s offered") as move:
                step = await measure(nodes, replace(shape, rate_per_s=rate), progress=move)
            found.add(f"{rate:,.0f} msg/s offered", step)
            steps.append(step)
    if given.ceiling:
        found.add("bare relay: the load's own ceiling", await ceiling(shape, screen))
    found.tables = [run_table(f"{most.broker}, {shape.nodes} gateways", found, _pushed_back(steps))]
    found.numbers = {
        "closed_loop_per_s": most.per_s,
        "steps": [
            {"offered_per_s": one.shape.rate_per_s, "per_s": one.per_s, "late_p99_ms": one.late_ms}
            for one in steps
        ],
    }
    if steps:
        found.plot = lambda: load_curve(most, steps)
    return found


def _pushed_back(steps: list[Outcome]) -> str:
    held = sum(one.held for one in steps)
    late = max((one.late_ms for one in steps), default=0.0)
    note = f"The load processes sent at most {late:.2f} ms late (p99)."
    return note + (f" Not sent, the socket being full: {held:,}." if held else "")


async def _costs(given: argparse.Namespace, screen: Screen) -> Findings:
    found = Findings(seed=given.seed)
    target = flags.target(given)
    costs: list[tuple[str, float]] = []
    limits.raise_files(max(given.users) // min(given.nodes) + 4 * given.pairs + 1_000)
    for nodes, users in product(given.nodes, given.users):
        shape: Shape = flags.shape(given, nodes=nodes, idle_users=users)
        gateways = f"{nodes} gateway{'s' * (nodes > 1)}"
        name = f"{gateways}, {users + 2 * shape.pairs:,} users"
        with screen.bar(name) as move:
            outcome = await run(
                target, shape, router=given.router, kafka=given.kafka, progress=move
            )
        found.add(name, outcome)
        costs.append((name, outcome.cpu_s_per_1000))
    found.tables = [run_table(f"{found.outcomes[0][1].broker}, closed loop", found)]
    rows = [(name, f"{1000 * cost:.1f}", f"{cost / costs[0][1]:.2f}") for name, cost in costs]
    found.tables.append(
        Table("What a message costs", ("run", "gateway CPU ms/1,000", "to the first"), list(rows))
    )
    found.numbers = {"cpu_s_per_1000": dict(costs)}
    found.plot = lambda: cost_bars(costs)
    return found
