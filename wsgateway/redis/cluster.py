"""Which node of a Redis Cluster holds a key, also while slots and masters move."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from wsgateway import tasks
from wsgateway.errors import RedisUnavailable
from wsgateway.redis.link import Link, refusal
from wsgateway.redis.nodes import pool_of
from wsgateway.redis.url import RedisUrl
from wsgateway.redis.wire import Wire

log = logging.getLogger(__name__)

Address = tuple[str, int]


class Cluster:
    """Implements `Nodes`: a Redis Cluster, which tells who owns each of its 16,384 slots."""

    sharded = True

    def __init__(self, url: RedisUrl, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._links: dict[Address, Link] = {}
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._known = False
        self._learning: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def ready(self) -> None:
        """See `Nodes.ready`."""
        if not self._known:
            self.suspect()
            assert self._learning is not None
            await asyncio.shield(self._learning)
        if not self._known:
            raise RedisUnavailable("Redis did not answer: no node of the cluster does")

    def link_of(self, key: str) -> Link:
        """See `Nodes.link_of`."""
        return self._link(self._owners[key_slot(key.encode())] or self._url.hosts[0])

    def links(self) -> list[Link]:
        """See `Nodes.links`."""
        return [self._link(address) for address in set(self._owners) if address is not None]

    def redirected(self, why: str) -> Link | None:
        """See `Nodes.redirected`: `MOVED 1234 host:port`, or ASK while a slot is on the move."""
        # Why: either says that the command was not executed, so sending it again repeats nothing.
        # 原因：两者都表明命令没有执行，再发一次不会造成重复。
        kind, *words = why.split()
        if kind not in ("MOVED", "ASK") or len(words) != 2:
            return None
        host, _, port = words[1].rpartition(":")
        if not host:  # the nodes do not know their names: the map tells who was asked
            self.suspect()
            return None
        address = host, int(port)
        if kind == "MOVED":
            self._owners[int(words[0])] = address
            self.suspect()  # one slot has moved, so others have too
        return self._link(address)

    def suspect(self) -> None:
        """See `Nodes.suspect`."""
        if self._learning is None or self._learning.done():
            self._learning = asyncio.create_task(self._learn(), name="redis cluster: map")

    async def dial(
        self,
        key: str,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[RedisUnavailable], None],
    ) -> Wire:
        """See `Nodes.dial`."""
        await self.ready()
        address = self._owners[key_slot(key.encode())] or self._url.hosts[0]
        try:
            return await Wire.dial(self._pool(address), on_reply, on_lost, self._timeout_s)
        except RedisUnavailable:
            self.suspect()
            raise

    async def aclose(self) -> None:
        """See `Nodes.aclose`."""
        if self._learning is not None:
            await tasks.end(self._learning)
        for link in self._links.values():
            await link.aclose()
        await asyncio.gather(*self._retiring)

    def _link(self, address: Address) -> Link:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = Link(self._pool(address), self._timeout_s)
        return link

    def _pool(self, address: Address) -> ConnectionPool:
        return pool_of(self._url.at(*address), self._timeout_s)

    async def _learn(self) -> None:
        """Ask one node after the other for the map, until one tells it."""
        nodes = list({*self._links, *(one for one in self._owners if one), *self._url.hosts})
        random.shuffle(nodes)
        for address in nodes:
            try:
                (reply,) = await self._link(address).ask([("CLUSTER", "SLOTS")])
            except RedisUnavailable as error:
                log.debug("%s:%d does not tell the map of the cluster: %s", *address, error)
                continue
            if refusal(reply) is None and reply:
                self._take_in(reply, address)
                return
            log.debug("%s:%d has no map of the cluster: %s", *address, reply)

    def _take_in(self, ranges: list[Any], told_by: Address) -> None:
        owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, master, *_ in ranges:
            # nothing, or "?": the node does not know its own name; it is the one that was asked
            host = told_by[0] if master[0] in (None, b"", b"?") else master[0].decode()
            owners[first : last + 1] = [(host, master[1])] * (last + 1 - first)
        self._owners = owners
        self._known = True
        for address in self._links.keys() - set(owners) - set(self._url.hosts):
            retiring = asyncio.create_task(self._links.pop(address).aclose())
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
