"""Redis URLs: what each kind leads to, and what is refused with a reason but no password."""

import pytest

from wsgateway.brokers import RedisCluster, RedisServer, identify
from wsgateway.config import Config
from wsgateway.errors import ConfigError, RedisUnavailable
from wsgateway.redis.connect import connect
from wsgateway.redis.url import Kind, parse


@pytest.mark.parametrize("url", ["redis://h:1/2", "rediss://:p@h", "unix:///tmp/s?db=1"])
def test_one_server_is_redis_pys_business(url: str) -> None:
    assert (parse(url).kind, parse(url).text) == (Kind.ONE, url)


def test_a_cluster_is_any_of_its_nodes() -> None:
    read = parse("redis+cluster://user:p%40ss@one:7000,[::1]:7001,three")
    assert read.kind is Kind.CLUSTER
    assert read.hosts == (("one", 7000), ("::1", 7001), ("three", 6379))
    assert read.at("10.0.0.1", 7) == "redis://user:p%40ss@10.0.0.1:7"
    assert read.at("::1", 7) == "redis://user:p%40ss@[::1]:7"
    assert parse("rediss+cluster://one?ssl_cert_reqs=none").at("one", 1) == (
        "rediss://one:1?ssl_cert_reqs=none"
    )


def test_sentinels_name_a_service() -> None:
    read = parse("redis+sentinel://one,two:5000/orders.main/3")
    assert (read.kind, read.service) == (Kind.SENTINEL, "orders.main")
    assert read.hosts == (("one", 26379), ("two", 5000))
    assert read.at("m", 1) == "redis://m:1/3"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+cluster://h:1/3", "no databases"),
        ("redis+cluster://", "no HOST:PORT"),
        ("redis+cluster://h:0", "port 0"),
        ("redis+cluster://h:70000", "port 70000"),
        ("redis+cluster://:secret@h:x", "no HOST:PORT"),
        ("redis+cluster://h:1,,k:2", "no HOST:PORT"),
        ("redis+sentinel://h:1", "needs the service"),
        ("redis+sentinel://h:1/", "needs the service"),
        ("redis+sentinel://h:1/main/x", "needs the service"),
        ("redis+ring://h:1", "must begin with"),
        ("http+cluster://:secret@h:1", "must begin with"),
    ],
)
def test_what_is_refused(url: str, why: str) -> None:
    for refused in (lambda: Config(redis=url), lambda: connect(url, 1)):
        with pytest.raises(ConfigError, match=why) as caught:
            refused()
        assert "secret" not in str(caught.value)


async def test_what_a_url_does_not_lead_to_is_said(
    redis_cluster: RedisCluster, redis_server: RedisServer
) -> None:
    assert await identify(redis_cluster.url) == f"{redis_server.name} cluster"
    port = redis_cluster.masters[0].port
    with pytest.raises(RedisUnavailable, match=r"use redis\+cluster://"):
        await identify(f"redis://127.0.0.1:{port}")
    with pytest.raises(RedisUnavailable, match="no node of a cluster"):
        await identify(f"redis+cluster://127.0.0.1:{redis_server.port}")
    assert await identify(f"redis+cluster://127.0.0.1:1,127.0.0.1:{port}"), "any node will do"
    with pytest.raises(RedisUnavailable, match=r"127\.0\.0\.1:1"):
        await identify("redis+cluster://127.0.0.1:1")
