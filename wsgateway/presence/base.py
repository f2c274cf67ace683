"""What the gateway asks of presence: where is a user, and since which registration."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Owner:
    """The connection that owns a user; `epoch` orders registrations of that user."""

    gateway_id: str
    conn_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Registration:
    """The outcome of a register: its epoch, and the owner it displaced."""

    epoch: int
    displaced: Owner | None


class Refresh(StrEnum):
    """The outcome of a refresh."""

    REFRESHED = "refreshed"
    RESTORED = "restored"
    SUPERSEDED = "superseded"


class Presence(Protocol):
    """All operations queue at once, in call order, and raise `RedisUnavailable` or `Overloaded`.

    Why: order matters. A lookup issued after a register sees it, and completes after it.
    原因：顺序有意义。在注册之后发出的查询一定看得到这次注册，也一定在它之后完成。
    """

    def register(self, user: str, gateway_id: str, conn_id: str) -> "asyncio.Future[Registration]":
        """Make this connection the owner of `user`."""

    def refresh(
        self, user: str, gateway_id: str, conn_id: str, epoch: int
    ) -> "asyncio.Future[Refresh]":
        """Extend or restore the record, unless a newer epoch owns `user`."""

    def unregister(self, user: str, conn_id: str) -> "asyncio.Future[bool]":
        """Delete the record if it is this connection's; return whether it was."""

    def lookup(self, user: str) -> "asyncio.Future[Owner | None]":
        """Return the owner of `user`, or None."""
