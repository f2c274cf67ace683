"""The Redis router's own ways to fail, on a real server: each loss is one gap, counted once."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from known_routers import redis_router
from proxy import Proxy
from raw import sending, until
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from wsgateway.brokers import RedisServer
from wsgateway.fate import Kept
from wsgateway.process import GatewayProcess
from wsgateway.protocol import Status
from wsgateway.routers.redis import RedisRouter


@pytest.fixture
async def router(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[RedisRouter]:
    made = redis_router(redis_server.url, "g1", key_prefix)
    await made.start(Inbox())
    yield made
    await made.stop()


class Inbox(list[bytes]):
    """Takes everything in."""

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        self.append(data)


def count(router: RedisRouter, name: str) -> int:
    return router.health().counters[name]


async def arrives(router: RedisRouter, inbox: list[bytes], data: bytes) -> None:
    sending(router, "g1", data, "bob")
    await until(lambda: data in inbox)


async def test_what_waits_together_goes_out_together(router: RedisRouter) -> None:
    await asyncio.gather(*(sending(router, "g1", b"{}", "bob") for _ in range(1_000)))
    assert count(router, "envelopes") == 1_000
    assert count(router, "publishes") <= 10


async def test_an_idle_router_waits_for_nobody(router: RedisRouter) -> None:
    for _ in range(10):
        assert await sending(router, "g1", b"{}", "bob") is Status.ROUTED
    assert count(router, "publishes") == 10


async def test_a_broker_killed_and_restarted_is_one_gap(key_prefix: str) -> None:
    inbox = Inbox()
    with RedisServer() as server:
        router = redis_router(server.url, "g1", key_prefix)
        await router.start(inbox)
        try:
            server.kill()
            await until(lambda: not router.health().ok)
            assert "not subscribed" in str(router.health().why)
            assert await sending(router, "g1", b"{}", "bob") is Status.UNKNOWN
            await asyncio.to_thread(server.restart)
            await until(lambda: router.health().ok)
            assert router.health().why is None
            assert count(router, "gaps") == 1
            await arrives(router, inbox, b"after")
        finally:
            await router.stop()


async def test_a_silent_reconnect_is_a_gap(redis_server: RedisServer, key_prefix: str) -> None:
    inbox = Inbox()
    router = redis_router(redis_server.url, "g1", key_prefix)
    await router.start(inbox)
    try:
        async with Redis.from_url(redis_server.url) as redis:
            await redis.execute_command("CLIENT KILL TYPE pubsub")
        await until(lambda: count(router, "gaps") == 1 and router.health().ok)
        await arrives(router, inbox, b"after")
    finally:
        await router.stop()


async def test_the_canary_notices_a_link_that_swallows_everything(
    redis_server: RedisServer, key_prefix: str
) -> None:
    inbox = Inbox()
    async with Proxy(redis_server.port) as proxy:
        router = redis_router(proxy.url, "g1", key_prefix, canary_s=0.1, timeout_s=1)
        await router.start(inbox)
        try:
            assert router.health().ok
            proxy.blackhole()
            await until(lambda: not router.health().ok)
            await until(lambda: count(router, "gaps") == 1)
            assert "silent" in str(router.health().why)
            proxy.heal()
            await until(lambda: router.health().ok)
            assert count(router, "gaps") == 1
            await arrives(router, inbox, b"after")
        finally:
            await router.stop()


async def test_a_paused_gateway_still_counts_as_a_subscriber(
    redis_server: RedisServer, key_prefix: str, router: RedisRouter
) -> None:
    """Why `routed` is not `delivered`: Redis counts a process that reads nothing."""
    flags = ("--key-prefix", key_prefix)
    async with GatewayProcess("g2", redis=redis_server.url, flags=flags) as gateway:
        gateway.pause()
        assert await sending(router, "g2", b"{}", "bob") is Status.ROUTED
        gateway.resume()
        gateway.kill()
        await gateway.wait()
        while await sending(router, "g2", b"{}", "bob") is not Status.OFFLINE:
            pass  # Redis learns of the death when the kernel closes the socket


async def test_a_gateway_that_slept_keeps_its_link_and_what_waited_in_it(
    redis_server: RedisServer, key_prefix: str
) -> None:
    inbox = Inbox()
    router = RedisRouter(redis_server.url, "g1", canary_s=0.1, key_prefix=key_prefix, timeout_s=2.0)
    await router.start(inbox)
    try:
        for nap in (b'{"nap":1}', b'{"nap":2}', b'{"nap":3}'):
            with SyncRedis.from_url(redis_server.url) as other:
                other.publish(f"{key_prefix}gateway:g1", nap)
            time.sleep(1.0)  # noqa: ASYNC251 the whole loop sleeps, as under SIGSTOP
            await until(lambda nap=nap: nap in inbox)
        assert count(router, "gaps") == 0
    finally:
        await router.stop()
