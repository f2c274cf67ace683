"""A gateway's life: what ends it, and how it says so."""

import asyncio

import pytest
from redis.asyncio import Redis
from users import DeafUser

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.errors import WsGatewayError
from wsgateway.gateway import Gateway
from wsgateway.presence.base import lease_key


async def test_a_background_task_that_dies_ends_the_gateway_and_shows(
    redis_server: RedisServer, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    gateway = Gateway(config)
    monkeypatch.setattr(gateway.sessions, "sweep", broken)
    async with gateway:
        with pytest.raises(WsGatewayError, match=r"sweep task died.*a bug"):
            await gateway.failed()
        assert gateway.health()["status"] == "degraded"
        assert "sweep" in gateway.health()["why"][0]


async def test_closing_twice_is_fine(redis_server: RedisServer, key_prefix: str) -> None:
    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    gateway = Gateway(config)
    await gateway.start()
    await gateway.aclose()
    await gateway.aclose()


async def test_a_gateway_needs_a_redis_address() -> None:
    with pytest.raises(ValueError, match="redis"):
        Gateway(Config(gateway_id="g1"))


async def test_the_id_is_held_as_long_as_a_drain_takes(
    redis_server: RedisServer, key_prefix: str
) -> None:
    config = Config(
        gateway_id="g1",
        port=0,
        redis=redis_server.url,
        key_prefix=key_prefix,
        lease_ttl_s=0.3,
        drain_s=4.0,
        close_timeout_s=1.5,
    )
    gateway = Gateway(config)
    await gateway.start()
    async with Redis.from_url(redis_server.url) as redis, DeafUser(gateway.url, "deaf"):
        leaving = asyncio.create_task(gateway.aclose())
        held = 0
        while not leaving.done():
            exists = await redis.exists(lease_key(key_prefix, "g1"))
            if gateway.sessions.connections:
                assert exists
                held += 1
            await asyncio.sleep(0.05)
        assert held > 10, "longer than the lease lives by itself"
        assert not await redis.exists(lease_key(key_prefix, "g1"))
