"""The state of one lane: where a recipient is, and what waits to go there. No I/O."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from wsgateway.envelope import Carried
from wsgateway.protocol import Status


@dataclass(slots=True)
class Parcel:
    """One message in a lane; `done` hears what became of it, exactly once."""

    carried: Carried
    done: Callable[[Status], None]
    tries: int = 0


@dataclass(slots=True)
class Mark:
    """A fence in a lane: `reached` is called when all before it has left."""

    reached: Callable[[], None]


@dataclass(slots=True, eq=False)
class Lane:
    """State of one recipient. `route` is a gateway id; `busy` says why nothing may leave now."""

    user: str
    route: str | None = None
    fresh_until_s: float = 0.0
    busy: str | None = None  # None, "resolving", "settling" or "fencing"
    waiting: deque[Parcel | Mark] = field(default_factory=deque)
    in_flight: int = 0
    returned: list[Parcel] = field(default_factory=list)
    fence: asyncio.TimerHandle | None = None
    token: int = 0
