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


Edges = dict[World, list[tuple[World, tuple[str, ...]]]]


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
    edges = _walk(found, starts)
    found.states = len(edges)
    found.transitions = sum(len(out) for out in edges.values())
    _count(found, edges, starts)
    if sessions == 2:
        broken = {after for out in edges.values() for after, breaks in out if breaks}
        found.lattice = lattice(edges, broken)
    if found.shortest:
        found.counterexample = min(found.shortest.values(), key=lambda trace: len(trace.steps))
    return found


def _walk(found: Exploration, starts: list[World]) -> Edges:
    """Walk wave by wave, and note the first way to break each invariant."""
    design, heal = found.design, found.heal
    came: dict[World, tuple[World, Move] | None] = dict.fromkeys(starts)
    edges: Edges = {}
    wave = starts
    while wave:
        following = []
        for world in wave:
            out = edges[world] = []
            for move in moves(world, found.faults):
                after, broken = step(world, move, design.model, clocked=design.clocked, heal=heal)
                after = ranked(after)
                out.append((after, broken))
                for name in broken:
                    if name not in found.shortest:
                        start, way = _way(came, world)
                        found.shortest[name] = replay(design, start, [*way, move], name, heal=heal)
                if after not in came:
                    came[after] = world, move
                    following.append(after)
        if len(came) > MAX_STATES:
            raise ValueError(
                f"more than {MAX_STATES:,} situations: fewer sessions, beats or faults"
            )
        wave = following
    return edges


def _starts(begin: World, design: Design) -> Iterator[World]:
    """Yield the worlds to begin in: no gateway's clock is fast, or one is."""
    yield begin
    if design.clocked and Fault.SKEW in begin.faults:
        yield begin._replace(fast="g1")
        yield begin._replace(fast="g2")


def _way(came: dict[World, tuple[World, Move] | None], world: World) -> tuple[World, list[Move]]:
    """Return the start of the shortest way to `world`, and the moves along it."""
    back: list[Move] = []
    while (before := came[world]) is not None:
        world, move = before
        back.append(move)
    return world, back[::-1]


def _count(found: Exploration, edges: Edges, starts: list[World]) -> None:
    """Count the ways from the start to the end, and those on which something breaks."""
    # Why: counted, not walked. There are millions of ways through some ten thousand situations;
    # the ways to a situation are the sum of the ways to those before it.
    # 原因：是数出来的，不是逐条走的。一万来个局面之间有上百万条路；
    # 到一个局面的路数，等于到它各个前驱的路数之和。
    names = list(found.shortest)
    before = Counter(after for out in edges.values() for after, _ in out)
    ways = {world: [0] * (2 + len(names)) for world in edges}
    for world in starts:
        ways[world] = [1] * (2 + len(names))
    ready, ends = list(starts), [0] * (2 + len(names))
    while ready:
        world = ready.pop()
        here = ways.pop(world)
        if not edges[world]:
            ends = [a + b for a, b in zip(ends, here, strict=True)]
        for after, broken in edges[world]:
            there = ways[after]
            there[0] += here[0]
            if not broken:
                there[1] += here[1]
            for number, name in enumerate(names, 2):
                if name not in broken:
                    there[number] += here[number]
            before[after] -= 1
            if not before[after]:
                ready.append(after)
    found.schedules = ends[0]
    found.bad["any"] = ends[0] - ends[1]
    for number, name in enumerate(names, 2):
        found.bad[str(name)] = ends[0] - ends[number]
