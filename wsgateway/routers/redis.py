"""Redis Pub/Sub as a router: fast, simple, at most once.

PUBLISH answers with the number of subscribers at that moment. 0 means gone; 1 or more means
`routed`, which is not a delivery. On a cluster it is sharded Pub/Sub: each channel lives on the
node that owns its slot.
"""

import asyncio
import logging
from functools import partial

from wsgateway import tasks
from wsgateway.config import Config
from wsgateway.envelope import split
from wsgateway.heartbeat import sweep_is_late
from wsgateway.presence.base import Claims
from wsgateway.redis.connect import connect
from wsgateway.redis.link import Answer, refusal
from wsgateway.redis.publisher import Publisher
from wsgateway.redis.subscriber import Subscriber
from wsgateway.redis.wire import Command
from wsgateway.routers.base import Deliver, Done, RouterHealth

log = logging.getLogger(__name__)

BROADCAST = "gateway-broadcast"
# Not an envelope: JSON never starts with "~".
_CANARY = b"~canary"
# Why: three missed canaries, not one: a single late one is a busy event loop, not a dead link.
# 原因：连续缺三只金丝雀才算断；只晚一只多半是事件循环忙，不是链路断了。
MISSED_CANARIES = 3


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
        self._channel_start = channel_of(key_prefix, "")
        self._own_channel = channel_of(key_prefix, gateway_id)
        self._broadcast_channel = key_prefix + BROADCAST
        self._canary_s = canary_s
        self._timeout_s = timeout_s
        self._nodes = connect(url, timeout_s)
        self._publisher = Publisher(self._nodes)
        self._deliver: Deliver | None = None
        together = [[self._own_channel, self._broadcast_channel]]
        # Why: on a cluster the two channels may live on two nodes. Broadcasts are sharded too:
        # what PUBLISH counts there is only whoever listens at the node that was asked.
        # 原因：在集群里两个频道可能在两个节点上。广播也用分片频道：
        # 普通 PUBLISH 在集群里只数被询问的那个节点上的订阅者。
        apart = [[self._own_channel], [self._broadcast_channel]]
        self._subscribers = [
            Subscriber(self._nodes, channels, self._receive, timeout_s=timeout_s)
            for channels in (apart if self._nodes.sharded else together)
        ]
        self._own = self._subscribers[0]
        self._singing: asyncio.Task[None] | None = None

    @property
    def patience_s(self) -> float:
        """See `Router.patience_s`: Redis keeps nothing, so only what is on the wire counts."""
        return self._timeout_s

    async def start(self, deliver: Deliver) -> None:
        """See `Router.start`."""
        self._deliver = deliver
        self._publisher.start()
        try:
            await asyncio.gather(*(one.start() for one in self._subscribers))
        except BaseException:
            await self.stop()
            raise
        self._singing = asyncio.create_task(self._sing(), name="redis router: canary")

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        """See `Router.route_to_gateway`: `routed`, `offline` (no subscriber) or `unknown`."""
        self._publisher.put(self._channel_start + gateway_id, envelope, done)

    def broadcast_to_all_gateways(self, envelope: bytes, done: Done) -> None:
        """See `Router.broadcast_to_all_gateways`."""
        self._publisher.put(self._broadcast_channel, envelope, done)

    async def stop(self) -> None:
        """See `Router.stop`."""
        self._publisher.stop()
        if self._singing is not None:
            await tasks.end(self._singing)
        for subscriber in self._subscribers:
            await subscriber.aclose()
        await self._nodes.aclose()

    def health(self) -> RouterHealth:
        """See `Router.health`: the canary's age, gaps, and what batching saved."""
        now_s = asyncio.get_running_loop().time()
        why = None
        for one in self._subscribers:
            if not one.subscribed.is_set():
                why = f"not subscribed: {one.failure}"
            elif self._is_silent(one):
                why = "the canary does not come back"
        return RouterHealth(
            ok=why is None,
            why=why,
            kind="redis",
            counters={
                "gaps": sum(one.gaps for one in self._subscribers),
                "publishes": self._publisher.publishes,
                "envelopes": self._publisher.envelopes,
            },
            gauges={
                "canary_age_s": round(now_s - (self._own.heard_s or now_s), 3),
                "subscribed": int(all(one.subscribed.is_set() for one in self._subscribers)),
            },
            waiting=self._publisher.waiting,
        )

    def _receive(self, payload: bytes) -> None:
        if payload == _CANARY or self._deliver is None:
            return
        for envelope in split(payload):
            try:
                self._deliver(envelope)
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
            for one in self._subscribers:
                if one.subscribed.is_set() and self._is_silent(one) and not slept:
                    one.cut("the link is silent, even our own canary")
                if one is not self._own:
                    one.ping()  # a canary here would be heard by every gateway
            gaps = self._own.gaps if self._own.subscribed.is_set() else -1
            song: list[Command] = [("PUBLISH", self._own_channel, _CANARY)]
            if self._nodes.sharded:  # after a word with the owner: see `Nodes`
                song = [("EXISTS", self._own_channel), ("SPUBLISH", self._own_channel, _CANARY)]
            link = self._nodes.link_of(self._own_channel)
            link.call(song, partial(self._sung, gaps))

    def _sung(self, gaps: int, answer: Answer) -> None:
        if not isinstance(answer, list):
            log.debug("canary not sent: %s", answer)
        elif why := next(filter(None, map(refusal, answer)), None):
            self._nodes.redirected(why)  # a slot has moved: the next one goes there
        elif answer[-1] == 0 and gaps == self._own.gaps:
            # Why: a subscription that is not where others publish. They would be told that we
            # are gone, and our users offline.
            # 原因：订阅不在别人发布的那个节点上。别人会以为我们已消失、用户都不在线。
            self._own.cut("nobody hears what is published to our channel")

    def _is_silent(self, one: Subscriber) -> bool:
        silence_s = asyncio.get_running_loop().time() - one.heard_s
        return silence_s > MISSED_CANARIES * self._canary_s
