"""A master that a Sentinel watches: found by name, and its successor followed."""

import asyncio
from collections.abc import Iterator

import pytest
from proxy import Proxy
from raw import sending, until
from users import Cluster, User

from wsgateway.brokers import RedisServer, RedisWithSentinel, identify
from wsgateway.errors import RedisUnavailable
from wsgateway.fate import Kept
from wsgateway.presence.redis import RedisPresence
from wsgateway.protocol import Status
from wsgateway.routers.redis import RedisRouter


class Inbox(list[bytes]):
    """Takes everything in."""

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        self.append(data)


@pytest.fixture
def own_redis() -> Iterator[RedisWithSentinel]:
    """A watched master for one test that may make it fail."""
    with RedisWithSentinel() as redis:
        yield redis


async def test_users_keep_talking_when_the_master_crashes(
    own_redis: RedisWithSentinel, key_prefix: str
) -> None:
    async with Cluster(own_redis.url, key_prefix) as cluster:
        g1, g2 = await cluster.start("g1", "g2", lease_ttl_s=10)
        async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "0", "m0") == "routed"
            own_redis.master.kill()
            await until(lambda: g2.health()["status"] == "degraded")
            await until(lambda: g1.health()["router"]["ok"] and g2.health()["router"]["ok"])
            count = 0
            while await alice.ask("bob", "after", f"again-{count}") != "routed":
                count += 1
            await until(lambda: "after" in bob.contents)
            assert [g.stats()["router"]["gaps"] for g in (g1, g2)] == [1, 1]
            assert own_redis.master_port() != own_redis.master.port


async def test_an_appointed_successor_is_followed_and_nothing_is_sent_twice(
    own_redis: RedisWithSentinel, key_prefix: str
) -> None:
    inbox = Inbox()
    one, two = (
        RedisRouter(own_redis.url, name, canary_s=5, key_prefix=key_prefix, timeout_s=2)
        for name in ("one", "two")
    )
    await one.start(Inbox())
    await two.start(inbox)
    async with RedisPresence(
        own_redis.url, ttl_s=60, key_prefix=key_prefix, timeout_s=2
    ) as presence:
        try:
            epoch = (await presence.register("bob", "two", "c1")).epoch
            await asyncio.to_thread(own_redis.fail_over)
            await until(lambda: two.health().counters["gaps"] >= 1 and two.health().ok)
            count = 0
            while await sending(one, "two", b"%d" % count, "bob") is not Status.ROUTED:
                count += 1
            await until(lambda: b"%d" % count in inbox)
            assert len(inbox) == len(set(inbox))
            owner = await answered(presence, "bob")
            assert owner == epoch, "the replica has the record"
        finally:
            await one.stop()
            await two.stop()


async def answered(presence: RedisPresence, user: str) -> int | None:
    async with asyncio.timeout(30):
        while True:
            try:
                owner = await presence.lookup(user)
                return owner and owner.epoch
            except RedisUnavailable:
                await asyncio.sleep(0.05)


async def test_who_they_are_is_said(
    redis_with_sentinel: RedisWithSentinel, redis_server: RedisServer
) -> None:
    name = await identify(redis_with_sentinel.url)
    assert name == f"{redis_server.name}, master of main"
    wrong = redis_with_sentinel.url.replace("/main", "/other")
    with pytest.raises(RedisUnavailable, match="names a master of other"):
        await identify(wrong)


async def test_a_silent_sentinel_does_not_keep_from_asking_the_next(
    redis_with_sentinel: RedisWithSentinel, key_prefix: str
) -> None:
    assert redis_with_sentinel.sentinel is not None
    port = redis_with_sentinel.sentinel.port
    async with Proxy(port) as proxy:
        proxy.blackhole()
        url = redis_with_sentinel.url.replace(f":{port}", f":{proxy.port},127.0.0.1:{port}")
        async with RedisPresence(url, ttl_s=60, key_prefix=key_prefix, timeout_s=3) as presence:
            assert await presence.lookup("bob") is None
