"""All ways the world can go, breadth first: the first to break an invariant is the shortest."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wsgateway.lab.race.designs import Design
from wsgateway.lab.race.lattice import Lattice, lattice
from wsgateway.lab.race.step import step
from wsgateway.lab.race.trace import Trace, replay
from wsgateway.lab.race.world import FAULTS, Fault, Move, Session, World, moves, ranked

MAX_STATES = 2_000_000


@dataclass(slots=True)
class Exploration:
    """What was found.

    Args:
        design: what was explored.
        faults: what could go wrong.
        heal: what was lost was given the time to come back.
        states: different situations.
        transitions: steps between them.
        schedules: orders in which everything may happen, from the start to the end.
        bad: of those, how many break an invariant; by invariant, and "any".
        counterexample: the shortest way to break one, or None.
        shortest: the shortest way to break each that can be broken.
        lattice: where two sessions may be at the same time; empty for any other number.
    """

    design: Design
    faults: frozenset[Fault]
    heal: bool = True
    states: int = 0
    transitions: int = 0
    schedules: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    counterexample: Trace | None = None
    shortest: dict[str, Trace] = field(default_factory=dict)
    lattice: Lattice = field(default_factory=dict)


@dataclass(slots=True)
class _Graph:
    """All situations by number, in the order in which they were met.

    Args:
        worlds: the situations.
        came: from which, and by which move, each was met first; None for a start.
        edges: where each leads, and what that breaks.
    """

    # Why: by number, so that each situation is kept once, however many steps lead to it.
    # 原因：用编号，这样无论有多少步通向一个局面，它都只存一份。
    worlds: list[World]
    came: list[tuple[int, Move] | None]
    edges: list[list[tuple[int, tuple[str, ...]]]] = field(default_factory=list)


def explore(
    design: Design,
    sessions: int = 2,
    faults: Iterable[Fault] = FAULTS,
    *,
    beats: int = 1,
    lag: int = 1,
    heal: bool = True,
) -> Exploration:
    """Walk through every interleaving.

    Args:
        design: what to explore.
        sessions: connections of one user.
        faults: what may go wrong.
        beats: heartbeats, and so refreshes, of each session.
        lag: how many of the last changes the replica that takes over may have missed.
        heal: presence may be wrong until the next refresh, once a record was lost, and after a
            failover until the time to live ends; False shows where it is.

    Raises:
        ValueError: more than `MAX_STATES` situations: fewer sessions, beats or faults.
    """
    chosen = frozenset(faults)
    found = Exploration(design, chosen, heal)
    begin = World((Session(beats=beats),) * sessions, lag=lag, faults=chosen)
    starts = list(_starts(begin, design))
    graph = _walk(found, starts)
    found.states = len(graph.edges)
    found.transitions = sum(map(len, graph.edges))
    _count(found, graph.edges, len(starts))
    if sessions == 2:
        broken = {after for out in graph.edges for after, breaks in out if breaks}
        found.lattice = lattice(graph.worlds, [graph.worlds[number] for number in broken])
    if found.shortest:
        found.counterexample = min(found.shortest.values(), key=lambda trace: len(trace.steps))
    return found


def _walk(found: Exploration, starts: list[World]) -> _Graph:
    """Walk breadth first, and note the first way to break each invariant."""
    design, heal = found.design, found.heal
    known = {world: number for number, world in enumerate(starts)}
    graph = _Graph(list(starts), [None] * len(starts))
    for here, world in enumerate(graph.worlds):  # which grows meanwhile
        out = []
        for move in moves(world, found.faults):
            after, broken = step(world, move, design.model, clocked=design.clocked, heal=heal)
            after = ranked(after)
            there = known.setdefault(after, len(known))
            if there == len(graph.worlds):
                graph.worlds.append(after)
                graph.came.append((here, move))
            out.append((there, broken))
            for name in broken:
                if name not in found.shortest:
                    start, way = _way(graph, here)
                    found.shortest[name] = replay(design, start, [*way, move], name, heal=heal)
        graph.edges.append(out)
        if len(known) > MAX_STATES:
            raise ValueError(
                f"more than {MAX_STATES:,} situations: fewer sessions, beats or faults"
            )
    return graph


def _starts(begin: World, design: Design) -> Iterator[World]:
    """Yield the worlds to begin in: no gateway's clock is fast, or one is."""
    yield begin
    if design.clocked and Fault.SKEW in begin.faults:
        yield begin._replace(fast="g1")
        yield begin._replace(fast="g2")


def _way(graph: _Graph, number: int) -> tuple[World, list[Move]]:
    """Return the start of the shortest way to a situation, and the moves along it."""
    back: list[Move] = []
    while (before := graph.came[number]) is not None:
        number, move = before
        back.append(move)
    return graph.worlds[number], back[::-1]


def _count(found: Exploration, edges: list[list[tuple[int, tuple[str, ...]]]], starts: int) -> None:
    """Count the ways from the starts to the ends, and those on which something breaks."""
    # Why: counted, not walked. There are millions of ways through some ten thousand situations;
    # the ways to a situation are the sum of the ways to those before it.
    # 原因：是数出来的，不是逐条走的。一万来个局面之间有上百万条路；
    # 到一个局面的路数，等于到它各个前驱的路数之和。
    names = list(found.shortest)
    before = Counter(after for out in edges for after, _ in out)
    ways = {number: [1] * (2 + len(names)) for number in range(starts)}
    ready, ends = list(range(starts)), [0] * (2 + len(names))
    while ready:
        number = ready.pop()
        here = ways.pop(number)
        if not edges[number]:
            ends = [a + b for a, b in zip(ends, here, strict=True)]
        for after, broken in edges[number]:
            there = ways.setdefault(after, [0] * len(ends))
            there[0] += here[0]
            if not broken:
                there[1] += here[1]
            for place, name in enumerate(names, 2):
                if name not in broken:
                    there[place] += here[place]
            before[after] -= 1
            if not before[after]:
                ready.append(after)
    found.schedules = ends[0]
    found.bad["any"] = ends[0] - ends[1]
    for place, name in enumerate(names, 2):
        found.bad[str(name)] = ends[0] - ends[place]
