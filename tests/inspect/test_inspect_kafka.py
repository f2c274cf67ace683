"""A look into Kafka: what a gateway left behind, who reads it, and what could not be delivered."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from raw import until
from users import Cluster, User

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer, identify_kafka
from wsgateway.config import Config
from wsgateway.errors import WsGatewayError
from wsgateway.inspect.facts import GatewayFact, LettersReport
from wsgateway.inspect.look import Look
from wsgateway.inspect.show import lines
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.link import KafkaLink
from wsgateway.kafka.topics import Topics

Kafka = TansuServer | ApacheKafka
PATIENCE_S = 60


@pytest.fixture
async def cluster(
    redis_server: RedisServer, kafka_server: Kafka, key_prefix: str
) -> AsyncIterator[Cluster]:
    async with Cluster(redis_server, key_prefix, kafka_server.address) as made:
        yield made


def look(cluster: Cluster, **settings: str) -> Look:
    kafka = cluster.router["kafka"]
    return Look(
        Config(
            router="kafka", redis=cluster.redis, kafka=kafka, key_prefix=cluster.prefix, **settings
        )
    )


async def gateways(cluster: Cluster) -> dict[str, GatewayFact]:
    return {one.id: one for one in (await look(cluster).gateways()).gateways}


async def topics_and_groups(address: str) -> tuple[set[str], set[str]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        groups = {name for name, _ in await admin.list_consumer_groups()}
        return set(await admin.list_topics()), groups
    finally:
        await admin.close()


async def write(
    cluster: Cluster, *records: tuple[bytes | None, bytes | None, dict[str, bytes]]
) -> None:
    """Write records as they are into the topic for dead letters."""
    address = cluster.router["kafka"]
    topic = Topics(cluster.prefix).dead_letters
    async with Catalog(KafkaLink({"bootstrap_servers": address}, 10)) as catalog:
        await catalog.ensure(topic, 1)
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    try:
        sent = [
            await producer.send(topic, value, key=key, headers=list(headers.items()))
            for key, value, headers in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def message(content: str, message_id: str) -> bytes:
    frame = {"type": "message", "from": "alice", "content": content, "id": message_id}
    envelope = {"kind": "message", "to": "bob", "from": "alice", "origin": "g1", "id": message_id}
    return json.dumps(envelope | {"frame": frame}).encode()


async def test_lag_of_a_gateway_that_lives_and_of_one_that_is_gone(cluster: Cluster) -> None:
    """The topic of g9 has a letter that its adopter holds, for bob may still come back."""
    g1, g9 = await cluster.start("g1", "g9", route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g9.url, "bob") as bob:
            assert await alice.ask("bob", "before", "m0") == "accepted"
            await until(lambda: bob.messages)
        await g9.aclose()
        assert await alice.ask("bob", "later", "m1") == "accepted"
        async with asyncio.timeout(PATIENCE_S):
            while (found := await gateways(cluster))["g9"].lease.adopted_by is None:
                pass
        assert found["g9"].lease.adopted_by == "g1"
        assert (found["g9"].lease.alive, found["g9"].lag, found["g9"].users) == (False, 1, 0)
        assert (found["g1"].lease.alive, found["g1"].users) == (True, 1)
        assert found["g1"].lease.adopted_by is None
        assert (await look(cluster).gateways()).adopter == "g1"
        (topic,) = (await look(cluster).lag("g9")).topics
        (busy,) = [one for one in topic.partitions if one.end]
        assert (busy.end - (busy.committed or 0), busy.lag, topic.lag) == (1, 1, 1)
        said = lines("lag", await look(cluster).lag())
        assert said[0].endswith(f"group {Topics(cluster.prefix).group}")
        rows = [line.split() for line in said[2:]]
        assert [int(row[1]) for row in rows] == [0, 1, 2, 0, 1, 2]
        assert {row[0] for row in rows} == {Topics(cluster.prefix).of(one) for one in ("g1", "g9")}
        assert all(row[-2:] == ["g1", "(adopted)"] for row in rows[3:])


async def test_topics_show_the_two_that_are_shared_and_no_others(cluster: Cluster) -> None:
    await cluster.start("g1")
    names = Topics(cluster.prefix)
    report = await look(cluster).topics()
    assert [(one.name, one.gateway, len(one.partitions)) for one in report.topics] == [
        (names.of("g1"), "g1", 3),
        (names.broadcast, None, 1),
        (names.dead_letters, None, 1),
    ]
    assert all(part.lag is None for one in report.topics[1:] for part in one.partitions)
    said = lines("topics", report)
    assert await identify_kafka(cluster.router["kafka"]) in said[0]
    assert [line.split()[-1] for line in said[2:]] == ["alive", "all", "all"]


async def test_lag_of_a_gateway_without_a_topic_is_refused(cluster: Cluster) -> None:
    await cluster.start("g1")
    with pytest.raises(WsGatewayError, match="gateway g7 has no topic"):
        await look(cluster).lag("g7")


async def test_a_real_dead_letter_is_told_without_its_content(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2", ping_s=0.5, presence_ttl_s=1.0, route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "before", "m0") == "accepted"
            await until(lambda: bob.messages)
        assert await alice.ask("bob", "a secret", "m1") == "accepted"
        async with asyncio.timeout(PATIENCE_S):
            while not (report := await look(cluster).dead_letters(20, with_content=False)).letters:
                pass
        (letter,) = report.letters
        assert (letter.reason, letter.gateway, letter.user) == ("offline", "g2", "bob")
        assert (letter.sender, letter.id) == ("alice", "m1")
        assert letter.bytes > len("a secret")
        assert letter.partition is not None
        assert letter.offset is not None
        assert "a secret" not in str(report)
        told = await look(cluster).dead_letters(20, with_content=True)
        assert [one.content for one in told.letters] == ["a secret"]


def ids(report: LettersReport) -> list[str | None]:
    return [one.id for one in report.letters]


async def test_the_newest_letters_in_their_order(cluster: Cluster) -> None:
    headers = {"reason": b"offline", "gateway": b"g1", "partition": b"2", "offset": b"5"}
    await write(cluster, *((b"bob", message("x" * 2000, f"m{n}"), headers) for n in range(1200)))
    some = await look(cluster).dead_letters(7, with_content=False)
    assert ids(some) == [f"m{n}" for n in range(1193, 1200)]
    assert some.total == 1200
    many = await look(cluster).dead_letters(1000, with_content=False)
    assert ids(many) == [f"m{n}" for n in range(200, 1200)]


async def test_anything_may_lie_among_the_dead_letters(cluster: Cluster) -> None:
    await write(
        cluster,
        (None, b"\xff\xfe", {}),
        (
            b"\xff",
            b'{"kind":"message","x":' + b"[" * 50_000,
            {"reason": b"\xff", "partition": b"-1", "offset": b"x"},
        ),
        (b"bob", None, {"reason": b"malformed"}),
        (b"bob", b"", {"reason": b"too_big", "bytes": b"2000000"}),
        (b"bob", b'{"kind":"moved","user":"bob"}', {"reason": b"unknown"}),
        (b"bob\x1b[2J", message("\x1b[31mred\nline", "m1"), {"reason": b"offline"}),
    )
    report = await look(cluster).dead_letters(20, with_content=True)
    assert [one.bytes for one in report.letters[:5]] == [2, 50_023, 3, 2_000_000, 32]
    assert [one.reason for one in report.letters] == [
        *("?", "\ufffd", "malformed", "too_big", "unknown", "offline")
    ]
    assert [one.sender for one in report.letters] == [None] * 5 + ["alice"]
    assert report.letters[1].partition is report.letters[1].offset is None
    said = lines("dead-letters", report)
    assert len(said) == 3 + 6
    assert all(line.isprintable() for line in said)
    assert "\\x1b[31mred\\nline" in said[-1]


async def test_without_gateways_there_is_nothing_and_nothing_is_made(cluster: Cluster) -> None:
    before = await topics_and_groups(cluster.router["kafka"])
    looking = look(cluster)
    assert (await looking.topics()).topics == []
    assert (await looking.dead_letters(5, with_content=False)).letters == []
    assert (await looking.gateways()).gateways == []
    assert "no topics" in lines("lag", await looking.lag())[-1]
    with pytest.raises(WsGatewayError, match="no topic"):
        await looking.lag("g1")
    assert await topics_and_groups(cluster.router["kafka"]) == before


async def test_a_broker_nobody_has_used_stays_so(
    own_kafka: Kafka, redis_server: RedisServer, key_prefix: str
) -> None:
    async with Cluster(redis_server, key_prefix, own_kafka.address) as cluster:
        await look(cluster).gateways()
        await look(cluster).dead_letters(5, with_content=False)
    assert await topics_and_groups(own_kafka.address) == (set(), set())


async def test_many_topics_are_asked_about_together(
    own_kafka: Kafka, redis_server: RedisServer, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one the library rests 100 ms before each: 60 of them would be out of time."""
    link = KafkaLink({"bootstrap_servers": own_kafka.address}, 30)
    names = Topics(key_prefix)
    async with Catalog(link) as catalog:
        for number in range(60):
            await catalog.ensure(names.of(f"g{number:02}"), 3)
    monkeypatch.setattr("wsgateway.inspect.look.KAFKA_TIMEOUT_S", 5.0)
    async with Cluster(redis_server, key_prefix, own_kafka.address) as cluster:
        report = await look(cluster).gateways()
    assert [one.id for one in report.gateways] == [f"g{number:02}" for number in range(60)]


async def test_looking_does_not_disturb_a_gateway_at_work(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600)
    async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
        assert await alice.ask("bob", "0", "m0") == "accepted"
        topics, _ = await topics_and_groups(cluster.router["kafka"])

        async def talk() -> None:
            for n in range(1, 100):
                assert await alice.ask("bob", f"{n}", f"m{n}") == "accepted"

        talking = asyncio.create_task(talk())
        looks = 0
        while not talking.done() or looks < 3:
            await look(cluster).gateways()
            await look(cluster).topics()
            await look(cluster).lag("g2")
            await look(cluster).dead_letters(5, with_content=False)
            looks += 1
        await talking
        async with asyncio.timeout(PATIENCE_S):
            while (await gateways(cluster))["g2"].lag:
                pass
        assert bob.contents == [f"{n}" for n in range(100)]
        assert g2.stats()["messages"]["received"] == 100
        for gateway in (g1, g2):
            assert gateway.health()["status"] == "ok"
            numbers = gateway.stats()["router"]
            assert (numbers["stalls"], numbers["replayed"], numbers["deadLetters"]) == (0, 0, 0)
        assert (await topics_and_groups(cluster.router["kafka"]))[0] == topics
