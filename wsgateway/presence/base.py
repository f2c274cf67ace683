"""What the gateway asks of presence: where is a user, and since which registration."""

import asyncio
from collections.abc import Sequence
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


def presence_key(key_prefix: str, user: str) -> str:
    """Return the Redis key of a user's record."""
    return f"{key_prefix}presence:{user}"


def lease_key(key_prefix: str, gateway_id: str) -> str:
    """Return the Redis key of a lease on a gateway id: it exists while that gateway lives."""
    return f"{key_prefix}gateway-lease:{gateway_id}"


def claim_key(key_prefix: str, name: str) -> str:
    """Return the Redis key of a claim: it exists while somebody holds it."""
    return f"{key_prefix}gateway-claim:{name}"


class Presence(Protocol):
    """All operations queue at once, in call order, and raise `BrokerUnavailable` or `Overloaded`.

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


class Claims(Protocol):
    """Exclusive claims shared by all gateways, and which gateways live.

    A claim lapses by itself unless it is renewed, so a holder that was paused must look again
    before it acts. All raise `BrokerUnavailable` or `Overloaded`.
    """

    ttl_s: float

    async def hold(self, name: str) -> bool:
        """Take or renew the claim; return whether it is ours for the next `ttl_s` seconds."""

    async def release(self, name: str) -> None:
        """Give it up if it is ours."""

    async def alive(self, gateway_ids: Sequence[str]) -> set[str]:
        """Return which of these gateways hold the lease on their id."""
