"""Redis Pub/Sub as a router: fast, simple, at most once.

PUBLISH answers with the number of subscribers at that moment. 0 means gone; 1 or more means
`routed`, which is not a delivery.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from wsgateway import tasks
from wsgateway.backoff import full_jitter
from wsgateway.batch import Batcher
from wsgateway.config import Config
from wsgateway.envelope import join, split
from wsgateway.errors import RedisUnavailable
from wsgateway.heartbeat import sweep_is_late
from wsgateway.presence.base import Claims
from wsgateway.protocol import Status
from wsgateway.redis_link import connect, execute
from wsgateway.routers.base import Deliver, Done, RouterHealth

log = logging.getLogger(__name__)

BROADCAST = "gateway-broadcast"
# Not an envelope: JSON never starts with "~".
_CANARY = b"~canary"
# Why: three missed canaries, not one: a single late one is a busy event loop, not a dead link.
# 原因：连续缺三只金丝雀才算断；只晚一只多半是事件循环忙，不是链路断了。
_MISSED_CANARIES = 3


def channel_of(key_prefix: str, gateway_id: str) -> str:
    """Return the channel of a gateway."""
    return f"{key_prefix}gateway:{gateway_id}"


def make(config: Config, _: Claims) -> "RedisRouter":
    """Return the router `config` describes; its `redis` is a URL."""
    assert config.redis is not None
    return RedisRouter(
        config.redis,
        config.gateway_id,
        canary_s=config.canary_s,
        key_prefix=config.key_prefix,
        timeout_s=config.redis_timeout_s,
    )


class RedisRouter:
    """Implements `Router` on channels `gateway:{id}` and `gateway-broadcast`.

    Args:
        url: Redis URL.
        gateway_id: whose channel to subscribe to.
        canary_s: seconds between two canaries to oneself.
        key_prefix: put before every channel.
        timeout_s: bound on a reply, seconds.
    """

    def __init__(
        self, url: str, gateway_id: str, *, canary_s: float, key_prefix: str, timeout_s: float
    ) -> None:
        self._url = url
        self._prefix = key_prefix
        self._own_channel = channel_of(key_prefix, gateway_id)
        self._broadcast_channel = key_prefix + BROADCAST
        self._canary_s = canary_s
        self._timeout_s = timeout_s
        self._publisher = connect(url, timeout_s)
        self._batcher: Batcher[tuple[str, bytes], Status] = Batcher(self._publish)
        self._subscribed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._rng = random.Random()
        self._failure: str | None = None
        self._heard_s = 0.0
        self._limit: asyncio.Timeout | None = None
        self._gaps = 0
        self._publishes = 0
        self._publish_failing = False

    @property
    def patience_s(self) -> float:
        """See `Router.patience_s`: Redis keeps nothing, so only what is on the wire counts."""
        return self._timeout_s

    async def start(self, deliver: Deliver) -> None:
        """See `Router.start`."""
        self._batcher.start()
        listening = asyncio.create_task(self._listen(deliver), name="redis router: listen")
        self._tasks = [listening, asyncio.create_task(self._sing(), name="redis router: canary")]
        ready = asyncio.create_task(self._subscribed.wait())
        try:
            await asyncio.wait(
                [ready, listening], timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if not self._subscribed.is_set():
            await self.stop()
            raise RedisUnavailable(f"cannot subscribe: {self._failure or 'no answer in time'}")

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        """See `Router.route_to_gateway`: `routed`, `offline` (no subscriber) or `unknown`."""
        self._put(channel_of(self._prefix, gateway_id), envelope, done)

    def broadcast_to_all_gateways(self, envelope: bytes, done: Done) -> None:
        """See `Router.broadcast_to_all_gateways`."""
        self._put(self._broadcast_channel, envelope, done)

    def _put(self, channel: str, envelope: bytes, done: Done) -> None:
        self._batcher.submit((channel, envelope)).add_done_callback(partial(_answered, done))

    async def stop(self) -> None:
        """See `Router.stop`."""
        await tasks.end(*self._tasks)
        self._tasks = []
        self._subscribed.clear()
        self._failure = self._failure or "stopped"
        await self._batcher.aclose()
        await self._publisher.aclose()

    def health(self) -> RouterHealth:
        """See `Router.health`: the canary's age, gaps, and what batching saved."""
        heard_s = self._heard_s or asyncio.get_running_loop().time()
        why = None
        if not self._subscribed.is_set():
            why = f"not subscribed: {self._failure}"
        elif self._is_silent():
            why = "the canary does not come back"
        return RouterHealth(
            ok=why is None,
            why=why,
            kind="redis",
            counters={
                "gaps": self._gaps,
                "publishes": self._publishes,
                "envelopes": self._batcher.items,
            },
            gauges={
                "canary_age_s": round(asyncio.get_running_loop().time() - heard_s, 3),
                "subscribed": int(self._subscribed.is_set()),
            },
            waiting=len(self._batcher),
        )

    async def _publish(self, batch: Sequence[tuple[str, bytes]]) -> list[Status | Exception]:
        """One round trip for the batch: one PUBLISH per channel, carrying all its envelopes."""
        by_channel: dict[str, list[bytes]] = {}
        for channel, envelope in batch:
            by_channel.setdefault(channel, []).append(envelope)
        pipeline = self._publisher.pipeline(transaction=False)
        for channel, envelopes in by_channel.items():
            pipeline.publish(channel, join(envelopes))
        try:
            counts = await execute(pipeline)
        except RedisUnavailable as error:
            log.log(
                logging.DEBUG if self._publish_failing else logging.WARNING,
                "publish failed, the envelopes' fate is unknown: %s",
                error,
            )
            self._publish_failing = True
            return [Status.UNKNOWN] * len(batch)
        self._publish_failing = False
        self._publishes += len(by_channel)
        status = dict(zip(by_channel, map(_status, counts), strict=True))
        return [status[channel] for channel, _ in batch]

    async def _listen(self, deliver: Deliver) -> None:
        """Stay subscribed. Every return of the link after a loss is one gap, counted."""
        attempt = 0
        while True:
            try:
                await self._listen_once(deliver)
            except TimeoutError:
                self._failure = "the link is silent, even our own canary"
            except (RedisError, OSError) as error:
                self._failure = str(error)
            # Why: whatever was published meanwhile is lost, and Redis cannot say how much.
            # redis-py would subscribe again without a word; a gap must be counted and shown.
            # 原因：这段时间发布的消息都丢了，Redis 也说不出丢了多少。
            # redis-py 会默默重新订阅；而空窗必须计数并展示出来。
            if self._subscribed.is_set():
                self._subscribed.clear()
                self._gaps += 1
                attempt = 0
                log.warning("subscription lost (gap %d): %s", self._gaps, self._failure)
            await asyncio.sleep(full_jitter(attempt, base_s=0.05, cap_s=1.0, rng=self._rng))
            attempt += 1

    async def _listen_once(self, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        redis = connect(self._url, None)
        try:
            async with asyncio.timeout(self._timeout_s) as limit, redis.pubsub() as pubsub:
                self._limit = limit
                await pubsub.subscribe(self._own_channel, self._broadcast_channel)
                async for message in pubsub.listen():
                    self._heard_s = loop.time()
                    if message["type"] == "message":
                        self._receive(message["data"], deliver)
                    elif message["data"] == 2:  # the second of the two subscriptions
                        limit.reschedule(None)  # from here on `_sing` watches the link
                        self._failure = None
                        self._subscribed.set()
                        log.info("subscribed to %s", self._own_channel)
        finally:
            await redis.aclose()

    def _receive(self, payload: Any, deliver: Deliver) -> None:
        if payload == _CANARY:
            return
        for envelope in split(payload):
            try:
                deliver(envelope)
            except Exception:  # a bug; it must cost one envelope, not this gateway's hearing
                log.exception("an envelope was not taken in")

    async def _sing(self) -> None:
        """Publish canaries to oneself: any arrival proves the whole round trip works."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + self._canary_s
            await asyncio.sleep(self._canary_s)
            # Why: a gateway that was paused wakes to an old clock and a full socket. Were its link
            # judged before it is read, all that waited in there would be thrown away.
            # 原因：暂停过的网关醒来时，时钟已过期，套接字里却有积压。
            # 如果不先读就判断链路已断，积压的消息会全部丢掉。
            slept = sweep_is_late(due_s, loop.time(), self._canary_s)
            if self._subscribed.is_set() and self._is_silent() and not slept:
                assert self._limit is not None
                self._limit.reschedule(loop.time())
            try:
                await self._publisher.publish(self._own_channel, _CANARY)
            except (RedisError, OSError) as error:
                log.debug("canary not sent: %s", error)

    def _is_silent(self) -> bool:
        silence_s = asyncio.get_running_loop().time() - self._heard_s
        return silence_s > _MISSED_CANARIES * self._canary_s


def _answered(done: Done, result: "asyncio.Future[Status]") -> None:
    failed = result.cancelled() or result.exception() is not None
    done(Status.UNKNOWN if failed else result.result())


def _status(count: Any) -> Status:
    if not isinstance(count, int):
        return Status.UNKNOWN
    return Status.ROUTED if count > 0 else Status.OFFLINE
