"""Staying subscribed: every return of a subscription after a loss is one gap, counted."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

from wsgateway import tasks
from wsgateway.backoff import full_jitter
from wsgateway.errors import RedisUnavailable
from wsgateway.redis.link import refusal
from wsgateway.redis.nodes import Nodes
from wsgateway.redis.wire import Wire

log = logging.getLogger(__name__)

_MESSAGES = (b"message", b"smessage")
_CONFIRMED = (b"subscribe", b"ssubscribe")


class Subscriber:
    """One subscription to channels that live on one server.

    Args:
        nodes: where channels are.
        channels: their names.
        hear: told every payload, in the turn of the event loop that brought it.
        timeout_s: bound on dialling and on the confirmation, seconds.

    Attributes for reading: `subscribed`, `failure` (why not), `gaps` (losses so far), and
    `heard_s`, the loop time at which anything last arrived.
    """

    def __init__(
        self,
        nodes: Nodes,
        channels: Sequence[str],
        hear: Callable[[bytes], None],
        *,
        timeout_s: float,
    ) -> None:
        self._nodes = nodes
        self._channels = channels
        self._hear = hear
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random()
        self._task: asyncio.Task[None] | None = None
        self._wire: Wire | None = None
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self.subscribed = asyncio.Event()
        self.failure: str | None = None
        self.gaps = 0
        self.heard_s = 0.0

    async def start(self) -> None:
        """Return when subscribed; from then on it stays so, or tries to.

        Raises:
            RedisUnavailable: no confirmation in time.
        """
        self._task = asyncio.create_task(self._stay(), name=f"subscriber: {self._channels[0]}")
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.subscribed.wait()
        except TimeoutError:
            why = self.failure or "no answer in time"
            raise RedisUnavailable(f"cannot subscribe: {why}") from None

    async def aclose(self) -> None:
        """Stop listening. Safe to call twice."""
        if self._task is not None:
            await tasks.end(self._task)
        self.subscribed.clear()
        self.failure = self.failure or "stopped"

    def cut(self, why: str) -> None:
        """Give this subscription up for lost, and subscribe again."""
        if not self._ended.done():
            self._ended.set_result(why)

    def ping(self) -> None:
        """Ask the server for a sign of life: it counts as something heard."""
        if self._wire is not None:
            self._wire.write([("PING",)])

    async def _stay(self) -> None:
        attempt = 0
        while True:
            try:
                self.failure = await self._listen()
            except RedisUnavailable as error:
                self.failure = str(error)
            # Why: whatever was published meanwhile is lost, and Redis cannot say how much. A
            # client that subscribes again without a word hides it; a gap must be counted.
            # 原因：这段时间发布的消息都丢了，Redis 也说不出丢了多少。
            # 默默重新订阅的客户端会把它掩盖掉；而空窗必须计数。
            if self.subscribed.is_set():
                self.subscribed.clear()
                self.gaps += 1
                attempt = 0
                log.warning("subscription lost (gap %d): %s", self.gaps, self.failure)
            await asyncio.sleep(full_jitter(attempt, base_s=0.05, cap_s=1.0, rng=self._rng))
            attempt += 1

    async def _listen(self) -> str:
        """Subscribe and listen; return why it ended."""
        self._ended = self._loop.create_future()
        wire = await self._nodes.dial(
            self._channels[0], self._replied, lambda error: self.cut(str(error))
        )
        unconfirmed = self._loop.call_later(self._timeout_s, self._check)
        try:
            self._wire = wire
            if self._nodes.sharded:
                # Why: a replica would take SSUBSCRIBE, but who publishes counts at the master.
                # 原因：副本也接受 SSUBSCRIBE，但发布者的计数在主节点上。
                wire.write([("EXISTS", *self._channels), ("SSUBSCRIBE", *self._channels)])
            else:
                wire.write([("SUBSCRIBE", *self._channels)])
            return await self._ended
        finally:
            unconfirmed.cancel()
            self._wire = None
            wire.close()

    def _check(self) -> None:
        if not self.subscribed.is_set():
            self.cut("the subscription was not confirmed in time")

    def _replied(self, reply: Any) -> None:
        self.heard_s = self._loop.time()
        why = refusal(reply)
        if why is not None:
            self._nodes.redirected(why)  # it goes on where the map says then
            self.cut(why)
        elif not isinstance(reply, list):
            pass  # the answer to EXISTS
        elif reply[0] in _MESSAGES:
            self._hear(reply[2])
        elif reply[0] in _CONFIRMED:
            if reply[2] == len(self._channels):
                self.failure = None
                self.subscribed.set()
                log.info("subscribed to %s", ", ".join(self._channels))
        elif reply[0] == b"sunsubscribe":
            self._nodes.suspect()
            self.cut("its slot moved to another node")
