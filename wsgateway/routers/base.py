"""The contract every router keeps; `tests/routers/test_contract.py` holds each one to it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from wsgateway.protocol import Status

Deliver = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class RouterHealth:
    """What `/health` and `/stats` show of a router.

    Args:
        ok: whether envelopes for this gateway arrive.
        why: the reason when they do not, one line.
        detail: numbers of this router's own, JSON names.
    """

    ok: bool
    why: str | None = None
    detail: dict[str, int | float | str | bool | None] = field(default_factory=dict)


class Router(Protocol):
    """Carries encoded envelopes between gateways, in order per pair of gateways."""

    async def start(self, deliver: Deliver) -> None:
        """Begin to hand arriving envelopes to `deliver`; return when subscribed or assigned.

        Raises:
            RedisUnavailable: the broker does not answer.
        """

    def route_to_gateway(self, gateway_id: str, envelope: bytes) -> "asyncio.Future[Status]":
        """Queue `envelope` at once, in call order; the result says what the broker knows.

        Raises:
            Overloaded: too many envelopes wait already.
        """

    def broadcast_to_all_gateways(self, envelope: bytes) -> "asyncio.Future[Status]":
        """As `route_to_gateway`, to every gateway, this one included."""

    async def stop(self) -> None:
        """Stop receiving, fail what waits, close connections. Safe to call twice."""

    def health(self) -> RouterHealth:
        """Return the current health; no I/O."""
