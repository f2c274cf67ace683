"""Climbing the ladder: every rung measured in turn, round after round."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from wsgateway.bench import flags
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.findings import Findings, Table
from wsgateway.bench.ladder.rungs import RUNGS, Rung, rung, rung_target
from wsgateway.bench.run import Progress, measure
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.command import Parser

if TYPE_CHECKING:
    from wsgateway.bench.screen import Screen

NAMES = tuple(one.name for one in RUNGS)
_CALM_PER_S = 500.0


@dataclass(slots=True)
class Climbed:
    """What a rung did, a run per round.

    Args:
        rung: which.
        full: closed loops: as fast as it goes.
        calm: open loops, at a low rate.
    """

    rung: Rung
    full: list[Outcome] = field(default_factory=list)
    calm: list[Outcome] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Delivered messages per second, median of the rounds."""
        return median(one.per_s for one in self.full)

    @property
    def cpu_us(self) -> float:
        """CPU microseconds of all gateways for one message at full load, median."""
        return median(one.cpu_s_per_1000 for one in self.full) * 1000

    def p_ms(self, percent: float) -> float:
        """Return a percentile of the latency at the low rate, median of the rounds, ms."""
        return median(one.p(percent) for one in self.calm)


async def climb(
    names: Sequence[str] = NAMES,
    *,
    rounds: int = 3,
    shape: Shape | None = None,
    calm_per_s: float = _CALM_PER_S,
    progress: Callable[[str], Progress] | None = None,
) -> list[Climbed]:
    """Measure rungs interleaved: all of them once, then all of them again.

    Args:
        names: of the rungs.
        rounds: how often.
        shape: of the closed loops.
        calm_per_s: messages per second of the open loops, which give the latency.
        progress: called with a name, returns what hears how that run goes.

    Raises:
        WsGatewayError: something did not start, or nothing arrived.
    """
    full = shape or Shape()
    calm = replace(full, rate_per_s=calm_per_s)
    climbed = [Climbed(rung(name)) for name in names]
    # Why: interleaved, so that a machine that grows busier or slower does it to every rung.
    # 原因：交错着测，机器忙起来或慢下来时，每一级都摊到。
    for number in range(rounds):
        for one in climbed:
            told = progress and progress(f"round {number + 1}: {one.rung.name}")
            async with Cluster(rung_target(one.rung.name), nodes=full.nodes) as cluster:
                one.full.append(await measure(cluster, full, progress=told))
                one.calm.append(await measure(cluster, calm, progress=told))
            if not one.full[-1].delivered:
                raise BenchError(f"{one.rung.name}: nothing arrived")
    return climbed


def table(climbed: Sequence[Climbed]) -> Table:
    """Return the rungs as a table: medians, and the spread of the throughput."""
    columns = (
        *("rung", "msg/s", "min-max", "gain", "to the first"),
        *("p50 ms", "p99 ms", "gateway CPU us/message"),
    )
    rows: list[Sequence[str]] = []
    for one, before in zip(climbed, [None, *climbed], strict=False):
        rates = sorted(run.per_s for run in one.full)
        rows.append(
            (
                one.rung.title_en,
                f"{one.per_s:,.0f}",
                f"{rates[0]:,.0f}-{rates[-1]:,.0f}",
                f"{one.per_s / before.per_s:.2f}" if before else "",
                f"{one.per_s / climbed[0].per_s:.1f}",
                f"{one.p_ms(50):.2f}",
                f"{one.p_ms(99):.2f}",
                f"{one.cpu_us:.0f}",
            )
        )
    broker, calm = climbed[0].full[0].broker, climbed[0].calm[0].shape
    title = f"The ladder: {broker}, medians of {len(climbed[0].full)} rounds"
    note = f"Latency one-way, at {calm.rate_per_s:g} messages a second in all."
    return Table(title, columns, rows, note)


def numbers(climbed: Sequence[Climbed]) -> list[dict[str, float | str | list[float]]]:
    """Return the rungs for the JSON file."""
    return [
        {
            "rung": one.rung.name,
            "per_s": one.per_s,
            "per_s_of_rounds": [run.per_s for run in one.full],
            "p50_ms": one.p_ms(50),
            "p99_ms": one.p_ms(99),
            "cpu_us_per_message": one.cpu_us,
        }
        for one in climbed
    ]


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: there are {', '.join(NAMES)}")
    return names


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=3.0)
    add = parser.add_argument
    add("--rungs", type=_names, default=NAMES, metavar="NAME[,...]", help="[all of them]")
    add("--rounds", type=flags.whole(1), default=3, metavar="N", help="[3]")
    add("--rate", type=flags.positive, default=_CALM_PER_S, metavar="MSG/S", help="calm [500]")


async def perform(given: argparse.Namespace, screen: "Screen") -> Findings:
    """Climb."""
    found = Findings(seed=given.seed)
    with screen.bar("ladder") as move:
        climbed = await climb(
            given.rungs,
            rounds=given.rounds,
            shape=flags.shape(given),
            calm_per_s=given.rate,
            progress=lambda name: lambda done, word: move(done, f"{name}: {word}"),
        )
    for one in climbed:
        for full, calm in zip(one.full, one.calm, strict=True):
            found.add(one.rung.name, full)
            found.add(f"{one.rung.name}, {given.rate:g} msg/s offered", calm)
    found.tables = [table(climbed)]
    found.numbers = {"ladder": numbers(climbed)}
    found.plot = lambda: _plot(climbed)
    return found


def _plot(climbed: Sequence[Climbed]) -> bytes:
    from wsgateway.bench.ladder.plot import draw  # the gateways of the ladder need no matplotlib

    return draw(climbed)
