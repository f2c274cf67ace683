"""Presence in Redis: one hash per user, changed only by the Lua scripts beside this file."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from wsgateway.batch import Batcher
from wsgateway.presence.base import Owner, Refresh, Registration, presence_key
from wsgateway.protocol import is_id
from wsgateway.redis.calls import Call, Pipeline, Script
from wsgateway.redis.connect import connect

R = TypeVar("R")

REGISTER = Script.load("register")
REFRESH = Script.load("refresh")
UNREGISTER = Script.load("unregister")

FIELDS = ("gatewayId", "connId", "timestamp")


class RedisPresence:
    """Implements `Presence`; all waiting operations share one pipeline.

    Args:
        url: Redis URL.
        ttl_s: life of a record without a refresh, seconds.
        key_prefix: put before every key.
        timeout_s: bound on a reply, seconds.
    """

    def __init__(self, url: str, *, ttl_s: float, key_prefix: str, timeout_s: float) -> None:
        self._ttl_ms = round(ttl_s * 1000)
        self._key_prefix = key_prefix
        self._nodes = connect(url, timeout_s)
        self._batcher: Batcher[Call, Any] = Batcher(
            Pipeline(self._nodes, REGISTER, REFRESH, UNREGISTER).run
        )
        self.operations = dict.fromkeys(
            ("register", "refresh", "unregister", "lookup", "superseded", "restored"), 0
        )

    async def __aenter__(self) -> Self:
        self._batcher.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop, and fail what still waits."""
        await self._batcher.aclose()
        await self._nodes.aclose()

    @property
    def waiting(self) -> int:
        """Operations not sent yet."""
        return len(self._batcher)

    @property
    def round_trips(self) -> int:
        """Pipelines sent so far."""
        return self._batcher.flushes

    def key(self, user: str) -> str:
        """Return the Redis key of `user`'s record."""
        return presence_key(self._key_prefix, user)

    def register(self, user: str, gateway_id: str, conn_id: str) -> "asyncio.Future[Registration]":
        """See `Presence.register`. Never retried: a second write would look like a new session."""
        return self._submit(
            "register", REGISTER, user, (gateway_id, conn_id, self._ttl_ms), _registration
        )

    def refresh(
        self, user: str, gateway_id: str, conn_id: str, epoch: int
    ) -> "asyncio.Future[Refresh]":
        """See `Presence.refresh`."""
        args = (gateway_id, conn_id, epoch, self._ttl_ms)
        return self._submit("refresh", REFRESH, user, args, self._refreshed)

    def unregister(self, user: str, conn_id: str) -> "asyncio.Future[bool]":
        """See `Presence.unregister`."""
        return self._submit("unregister", UNREGISTER, user, (conn_id,), bool)

    def lookup(self, user: str) -> "asyncio.Future[Owner | None]":
        """See `Presence.lookup`."""
        return self._submit("lookup", "HMGET", user, FIELDS, owner_of)

    def _submit(
        self,
        name: str,
        command: Script | str,
        user: str,
        args: tuple[str | int, ...],
        decode: Callable[[Any], R],
    ) -> "asyncio.Future[R]":
        self.operations[name] += 1
        return self._batcher.submit(Call(command, self.key(user), args, decode))

    def _refreshed(self, reply: bytes) -> Refresh:
        outcome = Refresh(reply.decode())
        if outcome is not Refresh.REFRESHED:
            self.operations[outcome.value] += 1
        return outcome


def _registration(reply: Sequence[bytes]) -> Registration:
    epoch, *displaced = reply
    return Registration(int(epoch), owner_of(displaced))


def owner_of(reply: Sequence[bytes | None]) -> Owner | None:
    """Return whom the `FIELDS` of a record name, or None."""
    # A record someone wrote by hand may be partial or odd: that is nobody we can route to.
    try:
        gateway_id, conn_id, epoch = (part.decode() if part else "" for part in reply)
        owner = Owner(gateway_id, conn_id, int(epoch))
    except ValueError:
        return None
    return owner if is_id(gateway_id) and conn_id else None
