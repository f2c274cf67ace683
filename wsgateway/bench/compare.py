"""`compare`: this gateway and others, interleaved, under the same load."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from wsgateway.bench import flags
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.dialect import JsonDialect
from wsgateway.bench.findings import Findings, Table, faults
from wsgateway.bench.idle import Idle
from wsgateway.bench.ladder import rung_target
from wsgateway.bench.peers import FOLDER, INSTALL, Peer, peers
from wsgateway.bench.plots import throughput_bars
from wsgateway.bench.run import Progress, measure
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.bench.target import Target
from wsgateway.command import Parser

OURS = "wsgateway"
_SETTLE_S = 0.5


@dataclass(slots=True)
class Rival:
    """One server, ours or a peer, and what it did, a value per round.

    Args:
        target: what is measured.
        nodes: how many of it run.
        full: closed loops: as fast as it goes.
        calm: open loops, at a low rate.
        kib_each: memory of one idle registered connection, KiB.
        broken: why a round could not be measured.
    """

    target: Target
    nodes: int
    full: list[Outcome] = field(default_factory=list)
    calm: list[Outcome] = field(default_factory=list)
    kib_each: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.target.name

    @property
    def per_s(self) -> list[float]:
        """Delivered messages per second of each round."""
        return [one.per_s for one in self.full]

    def p_ms(self, percent: float) -> list[float]:
        """Return a percentile of the latency at the low rate, of each round, ms."""
        return [one.p(percent) for one in self.calm]

    def count(self, what: str) -> int:
        """Return how many messages were "lost", "doubled" or "reordered" in all rounds."""
        return sum(getattr(one, what) for one in (*self.full, *self.calm))


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    flags.add_shape(parser, duration_s=4.0)
    add = parser.add_argument
    add("--rounds", type=flags.whole(1), default=3, metavar="N", help="[3]")
    add("--peers", default=str(FOLDER), metavar="FOLDER", help=f"[{FOLDER}]")
    add("--only", type=lambda text: text.split(","), metavar="NAME[,...]", help="[all of them]")
    add("--rate", type=flags.positive, default=500.0, metavar="MSG/S", help="calm [500]")
    add("--users", type=flags.whole(0), default=1000, metavar="N", help="idle, for memory [1000]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Measure all, round after round.

    Raises:
        BenchError: no such peers.
    """
    found = Findings(seed=given.seed)
    full = flags.shape(given)
    calm = replace(full, rate_per_s=given.rate)
    rivals = [Rival(flags.target(given), full.nodes), *_peers(given, full, screen)]
    # Why: interleaved, so that a machine that grows busier or slower does it to all of them.
    # 原因：交错着测，机器忙起来或慢下来时，大家都摊到。
    for number in range(given.rounds):
        for rival in rivals:
            with screen.bar(f"round {number + 1}: {rival.name}") as move:
                await _round(rival, (full, calm), given.users, move)
    for rival in rivals:
        for kind, runs in (("full", rival.full), ("calm", rival.calm)):
            found.outcomes += [(f"{rival.name}, {kind}", one) for one in runs]
    # Only our own promises are checked: what a peer loses is told in the table.
    for one in (*rivals[0].full, *rivals[0].calm):
        found.faults += faults(OURS, one)
    found.faults += [f"{OURS}: {why}" for why in rivals[0].broken]
    found.tables = [table(rivals, calm)]
    found.numbers = {"compare": [numbers(one) for one in rivals]}
    # Neither a limit nor ourselves with less to do is what we are compared with.
    drawn = [one for one in rivals if not one.name.startswith(("limit", f"{OURS},"))]
    found.plot = lambda: throughput_bars([(one.name, one.per_s) for one in drawn])
    return found


async def _round(rival: Rival, shapes: tuple[Shape, Shape], users: int, progress: Progress) -> None:
    full, calm = (replace(shape, nodes=rival.nodes) for shape in shapes)
    try:
        async with Cluster(rival.target, nodes=rival.nodes) as cluster:
            rival.full.append(await measure(cluster, full, progress=progress))
        # Why: fresh processes for each figure. What a flood has left behind, in memory or still
        # on its way, is not what the next one is about.
        # 原因：每项数字都用新进程来测。洪峰留下的内存，或仍在路上的消息，与下一项无关。
        async with Cluster(rival.target, nodes=rival.nodes) as cluster:
            rival.calm.append(await measure(cluster, calm, progress=progress))
        if users:
            async with Cluster(rival.target, nodes=1) as cluster:
                idle = Idle(cluster, settle_s=_SETTLE_S, progress=progress)
                await idle.fill(users)
                rival.kib_each.append(idle.kib_each)
    except BenchError as error:
        rival.broken.append(str(error))


def _peers(given: argparse.Namespace, shape: Shape, screen: Screen) -> list[Rival]:
    found = peers(Path(given.peers))
    ours = replace(flags.target(given), name=f"{OURS}, no ids", dialect=JsonDialect(ids=False))
    plain = replace(rung_target("plain"), name="the plain design, Python")
    found[:0] = [Peer("without-ids", ours, None, True), Peer("plain", plain, None, True)]
    names = [one.name for one in found]
    if unknown := [name for name in given.only or () if name not in names]:
        raise BenchError(f"{unknown[0]!r}: there are {', '.join(names)}")
    asked = [one for one in found if given.only is None or one.name in given.only]
    for one in asked:
        if not one.installed:
            screen.say(f"{one.name} is not installed: {INSTALL}", style="bold yellow")
    return [Rival(one.target, one.nodes or shape.nodes) for one in asked if one.installed]


def table(rivals: Sequence[Rival], calm: Shape) -> Table:
    """Return all of them, ours first: medians with least and most, and our ratio to each."""
    columns = (
        *("server", "msg/s", "min-max", "ours is x", "p50 ms", "min-max", "ours is x"),
        *("p99 ms", "min-max", "ours is x", "KiB/connection", "lost", "doubled", "reordered"),
    )
    made: list[Sequence[str]] = [_row(one, rivals[0]) for one in rivals]
    note = f"Latency one-way, at {calm.rate_per_s:g} messages a second in all."
    broken = [f"{one.name}: {why}" for one in rivals for why in one.broken]
    rounds = max(len(one.full) for one in rivals)
    return Table(f"Medians of {rounds} rounds", columns, made, " ".join([note, *broken]))


def _row(rival: Rival, ours: Rival) -> list[str]:
    row = [rival.name]
    for read, form in (
        (lambda one: one.per_s, ",.0f"),
        (lambda one: one.p_ms(50), ".2f"),
        (lambda one: one.p_ms(99), ".2f"),
    ):
        row += _cells(read, rival, ours, form)
    row.append(f"{median(rival.kib_each):.1f}" if rival.kib_each else "-")
    return [*row, *(f"{rival.count(what):,}" for what in ("lost", "doubled", "reordered"))]


def _cells(
    read: Callable[[Rival], list[float]], rival: Rival, ours: Rival, form: str
) -> tuple[str, str, str]:
    values = read(rival)
    if not values:
        return "-", "-", "-"
    middle, spread = f"{median(values):{form}}", f"{min(values):{form}}-{max(values):{form}}"
    ratio = ratio_of(read(ours), values)
    return middle, spread, "" if rival is ours or ratio is None else f"{ratio:.2f}"


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the ratio of the medians; None where there is none."""
    if not ours or not theirs or not median(theirs):
        return None
    return median(ours) / median(theirs)


def numbers(rival: Rival) -> dict[str, object]:
    """Return one server for the JSON file."""
    return {
        "server": rival.name,
        "per_s": rival.per_s,
        "p50_ms": rival.p_ms(50),
        "p99_ms": rival.p_ms(99),
        "kib_per_connection": rival.kib_each,
        "broken": rival.broken,
        **{what: rival.count(what) for what in ("lost", "doubled", "reordered")},
    }
