"""A gateway's life: what ends it, and how it says so."""

import pytest

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.errors import WsGatewayError
from wsgateway.gateway import Gateway


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
