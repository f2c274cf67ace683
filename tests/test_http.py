"""The HTTP pages on the gateway's own port."""

import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from raw import hear, http_get, say, session, until

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.gateway import Gateway


@pytest.fixture
async def gateway(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Gateway]:
    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    async with Gateway(config) as gateway:
        yield gateway


async def test_a_healthy_gateway(gateway: Gateway) -> None:
    status, content_type, body = await http_get(gateway, "/health")
    health = json.loads(body)
    assert (status, content_type) == (200, "application/json")
    assert (health["status"], health["gateway"], health["why"]) == ("ok", "g1", [])
    assert health["redis"]["ok"] is True
    assert health["router"]["ok"] is True
    assert health["router"]["kind"] == "redis"
    assert health["router"]["canaryAgeS"] >= 0
    assert health["router"]["gaps"] == 0


async def test_without_redis_it_says_503_and_why_and_with_it_again_200(key_prefix: str) -> None:
    with RedisServer() as server:
        config = Config(
            gateway_id="g1",
            port=0,
            redis=server.url,
            key_prefix=key_prefix,
            canary_s=0.1,
            lease_ttl_s=0.6,
            redis_timeout_s=0.5,
        )
        async with Gateway(config) as gateway:
            server.kill()
            await until(lambda: len(gateway.health()["why"]) == 2)
            status, _, body = await http_get(gateway, "/health")
            health = json.loads(body)
            assert (status, health["status"]) == (503, "degraded")
            assert health["redis"]["ok"] is health["router"]["ok"] is False
            assert all(isinstance(why, str) and "\n" not in why for why in health["why"])
            server.restart()
            await until(lambda: gateway.health()["status"] == "ok")
            status, _, body = await http_get(gateway, "/health")
            assert status == 200
            assert json.loads(body)["router"]["gaps"] == 1


async def test_stats_have_the_promised_shape(gateway: Gateway) -> None:
    stats = json.loads((await http_get(gateway, "/stats"))[2])
    assert stats["gateway"] == "g1"
    assert stats["uptimeS"] >= 0
    assert {"connections", "users", "routes", "refused", "closed"} <= set(stats)
    assert {"in", "delivered", "routed", "forwarded", "offline", "unknown", "received"} <= set(
        stats["messages"]
    )
    assert {"duplicate", "undelivered"} <= set(stats["messages"])
    assert set(stats["presence"]) == {
        "register",
        "refresh",
        "unregister",
        "lookup",
        "superseded",
        "restored",
    }
    assert {"kind", "gaps", "publishes", "envelopes", "subscribed"} <= set(stats["router"])
    assert set(stats["queues"]) >= {"presence", "router", "lanes", "outboxBytes"}


async def test_stats_count_and_name_nobody(gateway: Gateway) -> None:
    async with session(gateway, "alice-secret") as alice, session(gateway, "bob-secret") as bob:
        await say(alice, type="message", to="bob-secret", content="whisper", id="m1")
        assert (await hear(bob))["content"] == "whisper"
        assert (await hear(alice))["status"] == "delivered"
        await say(alice, type="message", to="nobody-secret", content="whisper", id="m2")
        assert (await hear(alice))["status"] == "offline"
        await say(alice, type="quack")
        await hear(alice)
        _, _, body = await http_get(gateway, "/stats")
    stats = json.loads(body)
    assert (stats["connections"], stats["users"]) == (2, 2)
    assert (stats["messages"]["in"], stats["messages"]["delivered"]) == (2, 1)
    assert stats["messages"]["offline"] == 1
    assert stats["refused"] == {"unknown_type": 1}
    assert stats["presence"]["register"] == 2
    for page in ("/stats", "/health", "/metrics"):
        _, _, body = await http_get(gateway, page)
        assert "secret" not in body
        assert "whisper" not in body


async def test_metrics_are_what_prometheus_reads(gateway: Gateway) -> None:
    async with session(gateway, "alice") as alice:
        await say(alice, type="quack")
        await hear(alice)
        status, content_type, body = await http_get(gateway, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    families = {one.name: one for one in text_string_to_metric_families(body)}
    assert all(name.startswith("wsgateway_") for name in families)
    assert all(one.documentation for one in families.values())

    def value(family: str, **labels: str) -> float:
        (found,) = (one.value for one in families[family].samples if one.labels == labels)
        return found

    assert value("wsgateway_connections") == value("wsgateway_users") == 1
    assert value("wsgateway_refused", code="unknown_type") == 1
    assert value("wsgateway_presence", operation="register") == 1
    assert value("wsgateway_router_gaps") == 0
    assert families["wsgateway_messages"].type == "counter"


@pytest.mark.parametrize("path", ["/", "/ws/", "/wsx", "/healthz", "/../health", "//[", "/%00"])
async def test_any_other_path_is_404(gateway: Gateway, path: str) -> None:
    assert (await http_get(gateway, path))[0] == 404


async def test_a_query_does_not_matter(gateway: Gateway) -> None:
    assert (await http_get(gateway, "/health?probe=1"))[0] == 200


async def test_a_plain_request_to_the_websocket_is_told_to_upgrade(gateway: Gateway) -> None:
    assert (await http_get(gateway, "/ws"))[0] == 426
