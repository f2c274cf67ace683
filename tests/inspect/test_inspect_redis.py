"""A look into Redis, with real gateways, and with what people write there by hand."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisCluster
from users import Cluster, User

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.errors import WsGatewayError
from wsgateway.inspect import redis_view
from wsgateway.inspect.facts import GatewaysReport, Report, State
from wsgateway.inspect.look import NOTHING_KEPT, Look
from wsgateway.inspect.show import lines

PATIENCE_S = 30
on_one_server = pytest.mark.parametrize("redis_url", ["one server"], indirect=True)
# What a user of Redis needs who may look and do nothing else; docs/inspect.md says the same.
LOOKER = (
    "+@read",
    "+info",
    "+pubsub|channels",
    "+pubsub|numsub",
    "+multi",
    "+exec",
    "+@connection",
)
LOOKER_ON_A_CLUSTER = ("+cluster|slots", "+pubsub|shardchannels", "+pubsub|shardnumsub")


@pytest.fixture
async def cluster(redis_url: str, key_prefix: str) -> AsyncIterator[Cluster]:
    async with Cluster(redis_url, key_prefix) as made:
        yield made


def look(cluster: Cluster, redis: str | None = None) -> Look:
    return Look(Config(redis=redis or cluster.redis, key_prefix=cluster.prefix))


def by_id(report: GatewaysReport) -> dict[str, tuple[bool, int, int | None]]:
    return {one.id: (one.lease.alive, one.users, one.subscribers) for one in report.gateways}


async def test_presence_says_where_a_user_is(cluster: Cluster) -> None:
    (g1,) = await cluster.start("g1")
    async with User(g1.url, "alice") as alice:
        fact = await look(cluster).presence("alice")
        assert (fact.state, fact.gateway) == (State.CONNECTED, "g1")
        assert fact.connection == alice.registered["connId"]
        assert fact.left_s is not None
        assert 0 < fact.left_s <= g1.config.presence_ttl_s
        assert fact.epoch_us is not None
        nobody = await look(cluster).presence("bob")
        assert (nobody.state, nobody.gateway, nobody.left_s) == (State.NOWHERE, None, None)


async def test_a_record_that_names_a_gateway_without_a_lease_is_stale(
    cluster: Cluster, redis: Redis
) -> None:
    key = f"{cluster.prefix}presence:bob"
    redis.hset(key, mapping={"gatewayId": "g9", "connId": "c", "timestamp": "7"})
    fact = await look(cluster).presence("bob")
    assert (fact.state, fact.gateway, fact.epoch_us) == (State.STALE, "g9", 7)
    assert fact.left_s is None, "no TTL: it never lapses"


@pytest.mark.parametrize(
    "record",
    [
        {"gatewayId": "g1"},
        {"gatewayId": "g 1", "connId": "c", "timestamp": "1"},
        {"gatewayId": "g1", "connId": "c", "timestamp": "soon"},
        {"gatewayId": b"\xff", "connId": "c", "timestamp": "1"},
        {"other": "field"},
    ],
    ids=["partial", "odd id", "odd time", "bytes", "else"],
)
async def test_a_record_no_gateway_wrote_is_called_unreadable(
    cluster: Cluster, redis: Redis, record: dict[str, str]
) -> None:
    redis.hset(f"{cluster.prefix}presence:bob", mapping=record)
    assert (await look(cluster).presence("bob")).state is State.UNREADABLE


async def test_a_key_of_another_type_and_a_time_beyond_all_bounds(
    cluster: Cluster, redis: Redis
) -> None:
    redis.set(f"{cluster.prefix}presence:bob", "a string")
    fact = await look(cluster).presence("bob")
    assert (fact.state, fact.left_s) == (State.UNREADABLE, None)
    record = {"gatewayId": "g1", "connId": "c", "timestamp": str(10**30)}
    redis.hset(f"{cluster.prefix}presence:eve", mapping=record)
    assert (await look(cluster).presence("eve")).epoch_us is None


async def test_gateways_are_found_by_lease_by_users_and_by_channel(
    cluster: Cluster, redis: Redis
) -> None:
    g1, g2 = await cluster.start("g1", "g2", lease_ttl_s=3000)
    record = {"gatewayId": "g9", "connId": "c", "timestamp": "1"}
    redis.hset(f"{cluster.prefix}presence:ghost", mapping=record)
    redis.hset(f"{cluster.prefix}presence:odd", mapping={"gatewayId": "not an id"})
    async with User(g1.url, "alice"), User(g1.url, "bob"), User(g2.url, "carol"):
        report = await look(cluster).gateways()
        assert report.complete
        assert by_id(report) == {"g1": (True, 2, 1), "g2": (True, 1, 1), "g9": (False, 1, 0)}
        holder = report.gateways[0].lease.holder
        assert holder is not None
        assert g1.url in holder
        redis.delete(f"{cluster.prefix}gateway-lease:g2")
        again = by_id(await look(cluster).gateways())
        assert again["g2"] == (False, 1, 1), "a paused gateway looks so: no lease, yet a subscriber"


@on_one_server
async def test_a_prefix_is_taken_literally(
    redis_server: RedisServer, redis: Redis, key_prefix: str
) -> None:
    prefixes = {f"{key_prefix}x[y]*?\\": "g1", f"{key_prefix}xy": "g2", f"{key_prefix}xyz": "g3"}
    with redis.pubsub() as listening:
        for prefix, gateway_id in prefixes.items():
            record = {"gatewayId": gateway_id, "connId": "c", "timestamp": "1"}
            redis.hset(f"{prefix}:presence:u", mapping=record)
            listening.subscribe(f"{prefix}:gateway:{gateway_id}")
            assert listening.get_message(timeout=PATIENCE_S)
        for prefix, gateway_id in prefixes.items():
            looking = Look(Config(redis=redis_server.url, key_prefix=f"{prefix}:"))
            assert by_id(await looking.gateways()) == {gateway_id: (False, 1, 1)}
            channels = (await looking.topics()).channels
            assert [(one.gateway, one.subscribers) for one in channels] == [
                (gateway_id, 1),
                (None, 0),
            ]


async def test_a_gateway_that_starts_has_not_adopted_itself(cluster: Cluster, redis: Redis) -> None:
    redis.hset(f"{cluster.prefix}gateway-lease:g1", mapping={"token": "t", "holder": "here"})
    for claimed_by, adopted_by in (("g1", None), ("g2", "g2")):
        redis.hset(f"{cluster.prefix}gateway-claim:topic:g1", "holder", claimed_by)
        (found,) = (await look(cluster).gateways()).gateways
        assert found.lease.adopted_by == adopted_by
        assert (found.lease.alive, found.lease.left_s) == (True, None)


async def test_a_redis_full_of_keys_is_not_searched_to_the_end(
    cluster: Cluster, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = redis.pipeline(transaction=False)
    for number in range(3000):
        record = {"gatewayId": "g1", "connId": "c", "timestamp": "1"}
        pipeline.hset(f"{cluster.prefix}presence:u{number}", mapping=record)
    pipeline.execute()
    whole = await look(cluster).gateways()
    assert (whole.complete, by_id(whole)) == (True, {"g1": (False, 3000, 0)})
    monkeypatch.setattr(redis_view, "MOST_SCANS", 1)
    part = await look(cluster).gateways()
    assert not part.complete
    assert sum(one.users for one in part.gateways) < 3000


async def test_topics_are_channels_and_nothing_is_kept(cluster: Cluster) -> None:
    await cluster.start("g1", "g2")
    report = await look(cluster).topics()
    assert [(one.name, one.gateway, one.subscribers) for one in report.channels] == [
        (f"{cluster.prefix}gateway:g1", "g1", 1),
        (f"{cluster.prefix}gateway:g2", "g2", 1),
        (f"{cluster.prefix}gateway-broadcast", None, 2),
    ]
    assert lines("topics", report)[-1] == NOTHING_KEPT
    assert lines("lag", await look(cluster).lag("g1")) == [NOTHING_KEPT]
    letters = await look(cluster).dead_letters(5, with_content=True)
    assert lines("dead-letters", letters) == [NOTHING_KEPT]


async def test_an_empty_redis_holds_nothing(cluster: Cluster) -> None:
    report = await look(cluster).gateways()
    assert report.gateways == []
    assert "no gateways" in lines("gateways", report)[-1]
    assert [one.subscribers for one in (await look(cluster).topics()).channels] == [0]


async def every_answer(looking: Look) -> list[Report]:
    return [
        await looking.presence("alice"),
        await looking.presence("bob"),
        await looking.gateways(),
        await looking.topics(),
        await looking.lag(),
        await looking.dead_letters(5, with_content=True),
    ]


async def test_looking_needs_no_right_to_write_and_changes_nothing(
    cluster: Cluster, redis: Redis
) -> None:
    (g1,) = await cluster.start("g1", ping_s=1000, presence_ttl_s=3000, heartbeat_timeout_s=3000)
    name = f"looker-{cluster.prefix[:-1]}"
    everywhere = {"target_nodes": "all"} if isinstance(redis, RedisCluster) else {}
    commands = (*LOOKER, *(LOOKER_ON_A_CLUSTER if everywhere else ()))
    rights: dict[str, Any] = {"keys": "*", "channels": "*", "commands": commands}
    redis.acl_setuser(name, enabled=True, passwords=["+pw"], **rights, **everywhere)
    try:
        url = cluster.redis.replace("://", f"://{name}:pw@")
        async with User(g1.url, "alice"):
            key = f"{cluster.prefix}presence:alice"
            before, left_ms = redis.hgetall(key), redis.pttl(key)
            answers = await every_answer(look(cluster, redis=url))
            assert answers[0].state is State.CONNECTED
            assert redis.hgetall(key) == before
            assert redis.pttl(key) <= left_ms
            assert "pw" not in str(answers)
        assert g1.stats()["router"]["gaps"] == 0
        assert g1.health()["status"] == "ok"
    finally:
        redis.acl_deluser(name, **everywhere)


def test_the_page_names_the_rights_that_looking_needs() -> None:
    page = Path(__file__).parents[2] / "docs" / "inspect.md"
    assert f"allchannels {' '.join(LOOKER)}\n" in page.read_text("utf-8")
    assert " ".join(LOOKER_ON_A_CLUSTER) in page.read_text("utf-8")


@on_one_server
async def test_a_user_who_may_not_look_is_told_so(cluster: Cluster, redis: Redis) -> None:
    name = f"blind-{cluster.prefix[:-1]}"
    redis.acl_setuser(name, enabled=True, passwords=["+pw"], commands=["+info"])
    try:
        looking = look(cluster, redis=cluster.redis.replace("redis://", f"redis://{name}:pw@"))
        for question in (looking.presence("alice"), looking.gateways(), looking.topics()):
            with pytest.raises(WsGatewayError, match="permissions"):
                await question
    finally:
        redis.acl_deluser(name)
