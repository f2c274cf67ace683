"""Claims in Redis: which gateway does what only one may do, such as reading a dead one's topic."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from wsgateway.batch import Batcher
from wsgateway.presence.base import claim_key, lease_key
from wsgateway.redis.calls import Call, Pipeline, Script
from wsgateway.redis.connect import connect

# The same scripts as for a lease on a gateway id: both are exclusive, both lapse.
HOLD = Script.load("hold_lease")
RELEASE = Script.load("release_lease")


class RedisClaims:
    """Implements `Claims`.

    Args:
        url: Redis URL.
        holder: who we are, in words for a person who looks.
        ttl_s: life of a claim without renewal, seconds.
        key_prefix: put before every key.
        timeout_s: bound on a reply, seconds.
    """

    def __init__(
        self, url: str, holder: str, *, ttl_s: float, key_prefix: str, timeout_s: float
    ) -> None:
        self.ttl_s = ttl_s
        self._holder = holder
        self._key_prefix = key_prefix
        self._token = secrets.token_hex(8)
        self._nodes = connect(url, timeout_s)
        self._batcher: Batcher[Call, Any] = Batcher(Pipeline(self._nodes, HOLD, RELEASE).run)

    def start(self) -> None:
        """Begin to take claims."""
        self._batcher.start()

    async def aclose(self) -> None:
        """Stop; claims still held lapse. Safe to call twice."""
        await self._batcher.aclose()
        await self._nodes.aclose()

    async def hold(self, name: str) -> bool:
        """See `Claims.hold`."""
        args = (self._token, self._holder, round(self.ttl_s * 1000))
        reply = await self._batcher.submit(Call(HOLD, self._key(name), args, list))
        return bool(reply[0] != b"held")

    async def release(self, name: str) -> None:
        """See `Claims.release`."""
        await self._batcher.submit(Call(RELEASE, self._key(name), (self._token,), bool))

    async def alive(self, gateway_ids: Sequence[str]) -> set[str]:
        """See `Claims.alive`."""
        asking = [
            self._batcher.submit(Call("EXISTS", lease_key(self._key_prefix, one), (), bool))
            for one in gateway_ids
        ]
        answers = await asyncio.gather(*asking)
        return {one for one, answer in zip(gateway_ids, answers, strict=True) if answer}

    def _key(self, name: str) -> str:
        return claim_key(self._key_prefix, name)
