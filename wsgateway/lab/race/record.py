"""The presence record of one user, and what the three operations are given and answer. Pure."""

from enum import StrEnum
from typing import NamedTuple

FAST = 1_000_000
"""Times from here on were read from a clock that is an hour fast."""
SLOW = -FAST
"""Times from here to 0 were read from a clock that is an hour behind."""


class Op(StrEnum):
    """What a gateway asks of presence."""

    REGISTER = "register"
    REFRESH = "refresh"
    CLEANUP = "cleanup"


class Record(NamedTuple):
    """What Redis holds.

    Args:
        gateway, conn: who owns the user.
        time: an epoch, or a gateway's clock, as the design has it; 0 where it keeps none.
    """

    gateway: str
    conn: str
    time: int

    def __str__(self) -> str:
        return f"{self.conn}@{self.gateway}" + (f" T={told(self.time)}" if self.time else "")


class Call(NamedTuple):
    """One operation, as it reaches Redis.

    Args:
        op: which.
        gateway, conn: who asks.
        epoch: what its register returned.
        clock: the gateway's clock when it asked.
        server: the clock of Redis.
    """

    op: Op
    gateway: str
    conn: str
    epoch: int
    clock: int
    server: int


class Reply(NamedTuple):
    """What the gateway is told.

    Args:
        epoch: of a register; 0 when the design has none.
        displaced: the connection a register took the user from, "" if it does not say.
        superseded: a refresh found a newer owner: this connection must go.
    """

    epoch: int = 0
    displaced: str = ""
    superseded: bool = False


State = Record | None
"""A record, or none."""


def told(time: int) -> str:
    """Return a time as people read it: the first is 100."""
    if time >= FAST:
        return f"{99 + time - FAST}+1h"
    return str(99 + time) if time >= 0 else f"{99 + time - SLOW}-1h"
