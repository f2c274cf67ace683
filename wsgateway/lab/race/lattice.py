"""Where two sessions may be at the same time, and where on that map things break. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from wsgateway.lab.race.record import Op
from wsgateway.lab.race.trace import Trace
from wsgateway.lab.race.world import Phase, Session, World

STAGES = (
    ("not there yet", "还没来"),
    ("connected", "已连接"),
    ("registered", "已注册"),
    ("refreshing", "刷新在途"),
    ("refreshed", "已刷新"),
    ("left", "已离开"),
    ("cleaning up", "清理在途"),
    ("done", "已了结"),
)
"""How far a session has come, in order: English, Chinese."""


@dataclass(slots=True)
class Place:
    """One point of the lattice.

    Args:
        situations: in which both sessions have come that far.
        broken: of those, the ones a step has just led to that broke an invariant.
    """

    situations: int = 0
    broken: int = 0


Lattice = dict[tuple[int, int], Place]


def stage(session: Session) -> int:
    """Return how far a session has come, an index of `STAGES`."""
    if session.phase is Phase.IDLE:
        return 0
    if session.phase is Phase.GONE:
        return 6 if session.queue else 7
    if session.phase is Phase.LEFT:
        return 5
    if not session.registered:
        return 1
    if any(op is Op.REFRESH for op, _ in session.queue):
        return 3
    return 2 if session.beats else 4


def lattice(worlds: Iterable[World], broken: Iterable[World]) -> Lattice:
    """Return where situations of two sessions lie."""
    made: Lattice = {}
    for world in worlds:
        made.setdefault(_place(world), Place()).situations += 1
    for world in broken:
        made[_place(world)].broken += 1
    return made


def path(trace: Trace) -> list[tuple[int, int]]:
    """Return the places a trace goes through."""
    return [_place(world) for world in trace.worlds]


def _place(world: World) -> tuple[int, int]:
    first, second = world.sessions[:2]
    return stage(first), stage(second)
