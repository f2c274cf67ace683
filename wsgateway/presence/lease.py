"""A gateway id is a lease in Redis: two live gateways never share one.

The holder renews every third of the ttl. A crashed holder stops renewing, so its own successor
is in after one ttl (3 s by default). A holder that was paused past its ttl may find its id taken.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from wsgateway.batch import Batcher
from wsgateway.errors import BrokerUnavailable, GatewayIdTaken, LeaseLost, WsGatewayError
from wsgateway.presence.base import lease_key
from wsgateway.redis.calls import Call, Pipeline, Script
from wsgateway.redis.connect import connect

log = logging.getLogger(__name__)

HOLD = Script.load("hold_lease")
RELEASE = Script.load("release_lease")

_MARGIN_S = 0.05


class Lease:
    """The lease on one gateway id; `failure` says why the last renewal failed, or is None.

    Args:
        url: Redis URL.
        gateway_id: the id to hold.
        ttl_s: life of the lease without renewal, seconds.
        key_prefix: put before the key.
        timeout_s: bound on a reply, seconds.
        on_forgotten: awaited when Redis had forgotten the lease: it came back empty, so
            everything else this gateway wrote is gone too. Awaited again if it raises a
            `WsGatewayError`.
    """

    def __init__(
        self,
        url: str,
        gateway_id: str,
        *,
        ttl_s: float,
        key_prefix: str,
        timeout_s: float,
        on_forgotten: Callable[[], Awaitable[None]],
    ) -> None:
        self._gateway_id = gateway_id
        self._holder = ""
        self._ttl_s = ttl_s
        self._key = lease_key(key_prefix, gateway_id)
        self._token = secrets.token_hex(8)
        self._on_forgotten = on_forgotten
        self.failure: str | None = None
        self._nodes = connect(url, timeout_s)
        self._batcher: Batcher[Call, Any] = Batcher(Pipeline(self._nodes, HOLD, RELEASE).run)

    async def acquire(self, holder: str) -> None:
        """Take the lease, waiting out a crashed predecessor for one ttl at most.

        Args:
            holder: who we are, in words for the person who is refused.

        Raises:
            GatewayIdTaken: a live gateway renews it; the text names the holder.
            BrokerUnavailable: Redis cannot be asked.
        """
        self._holder = holder
        self._batcher.start()
        reply = await self._hold()
        if reply[0] == b"held":
            reply = await self._outwait(reply)
        if reply[0] == b"held":
            raise GatewayIdTaken(
                f"gateway id {self._gateway_id!r} is held by a live gateway: {reply[2].decode()}"
            )

    async def _outwait(self, first: list[Any]) -> list[Any]:
        # Why: only renewal tells a live holder from a crashed one, and Redis shows it: the time
        # left goes up. Waiting half the ttl is longer than the holder's renewal interval.
        # 原因：只有续租能区分活着的持有者和已崩溃的，而这在 Redis 里看得到：剩余时间会回升。
        # 等半个 TTL 已超过持有者的续租间隔。
        log.info("gateway id %s is held: waiting to see whether its holder lives", self._gateway_id)
        left_ms = first[3]
        pause_s = min(left_ms / 1000 + _MARGIN_S, self._ttl_s / 2)
        await asyncio.sleep(pause_s)
        second = await self._hold()
        if second[0] != b"held" or second[1] != first[1] or second[3] >= left_ms:
            return second
        await asyncio.sleep(second[3] / 1000 + _MARGIN_S)
        return await self._hold()

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises:
            LeaseLost: another gateway holds the id now; this one must stop.
        """
        forgotten = False
        while True:
            await asyncio.sleep(self._ttl_s / 3)
            try:
                reply = await self._hold()
            except BrokerUnavailable as error:
                self.failure = str(error)
                log.warning("gateway id not renewed: %s", error)
                continue
            self.failure = None
            if reply[0] == b"held":
                raise LeaseLost(
                    f"gateway id {self._gateway_id!r} was taken over by {reply[2].decode()}"
                )
            forgotten = forgotten or reply[0] == b"taken"
            if forgotten:
                log.warning("Redis forgot this gateway: announcing its users again")
                forgotten = not await self._announced()

    async def _announced(self) -> bool:
        # Why: the first command after a restart may still go to the old, dead connection. The
        # next renewal tries again, or users would stay unreachable until their next ping.
        # 原因：重启后的第一条命令可能还走已断开的旧连接。下次续租时重试，
        # 否则用户要等到下一次 ping 才能重新被找到。
        try:
            await self._on_forgotten()
        except WsGatewayError as error:
            log.warning("not announced, trying again: %s", error)
            return False
        return True

    async def aclose(self) -> None:
        """Release the lease if it is ours. Safe to call twice."""
        try:
            await self._batcher.submit(Call(RELEASE, self._key, (self._token,), bool))
        except BrokerUnavailable as error:
            log.warning("gateway id not released, it lapses by itself: %s", error)
        finally:
            await self._batcher.aclose()
            await self._nodes.aclose()

    async def _hold(self) -> list[Any]:
        args = (self._token, self._holder, round(self._ttl_s * 1000))
        reply: list[Any] = await self._batcher.submit(Call(HOLD, self._key, args, list))
        return reply
