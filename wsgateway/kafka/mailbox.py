"""A letter, and the mailbox in which it waits for its user. No I/O."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

# Why: a quarter of the default outbox. All that waited for a user who returns would overflow his
# outbox at once, and he would be closed as a slow reader, again and again.
# 原因：默认发件箱的四分之一。用户回来时，积攒的消息若一下子全放出去，会撑爆他的发件箱，
# 于是他被当作慢读者断开，如此反复。
_WINDOW_BYTES = 256 << 10


class Reason(StrEnum):
    """Why a letter is dead; an expired one is only counted, the others become dead letters."""

    OFFLINE = "offline"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    OVERFLOW = "overflow"
    TOO_BIG = "too_big"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of a gateway's topic.

    Args:
        partition, offset: where it lies.
        user: the recipient, the record's key.
        data: the envelope.
        time_ms: when it was written, by the producer's clock, ms since the Unix epoch.
    """

    partition: int
    offset: int
    user: bytes
    data: bytes
    time_ms: int


class Timer(Protocol):
    """What `call_later` returns."""

    def cancel(self) -> None: ...


@dataclass(slots=True)
class Mailbox:
    """The letters of one user that are not settled.

    Args:
        waiting: not offered, in order; their bytes are `waiting_bytes`.
        failed: offered and come back, until nothing is under way.
        in_flight: offered and not settled; their bytes are `in_flight_bytes`.
        away_s: since when the user has been missing, if he is.
        attempts: how often in a row letters came back.
        timer: when the first is offered again.
        offering: letters are being offered just now.
        opened: one under way waits for what is behind it, so all are offered.
        recalls: what to tell those that wait, by offset, once one comes back.
    """

    waiting: deque[Letter] = field(default_factory=deque)
    failed: list[Letter] = field(default_factory=list)
    in_flight: int = 0
    in_flight_bytes: int = 0
    waiting_bytes: int = 0
    away_s: float | None = None
    attempts: int = 0
    timer: Timer | None = None
    offering: bool = False
    opened: bool = False
    recalls: dict[int, Callable[[], None]] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        """Whether one more may be under way."""
        return self.opened or self.in_flight_bytes < _WINDOW_BYTES

    @property
    def held(self) -> bool:
        """Whether a letter must wait its turn."""
        trying = self.attempts and not self.opened
        return bool(self.waiting or self.failed or trying or not self.has_room)
