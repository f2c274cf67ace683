"""What only a log can give: messages wait for a gateway, follow their user, or are dead letters."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from raw import until
from users import Cluster, DeafUser, User

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer
from wsgateway.gateway import Gateway
from wsgateway.kafka.adoption import Adoption
from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.link import KafkaLink
from wsgateway.kafka.topics import PARTITIONS, Topics, partition_of
from wsgateway.process import GatewayProcess
from wsgateway.routers.kafka import KafkaRouter

Kafka = TansuServer | ApacheKafka
GOOD = (
    b'{"kind":"message","to":"bob","from":"eve","origin":"g2",'
    b'"frame":{"type":"message","from":"eve","content":"good"}}'
)


@pytest.fixture
async def cluster(
    redis_server: RedisServer, kafka_server: Kafka, key_prefix: str
) -> AsyncIterator[Cluster]:
    async with Cluster(redis_server, key_prefix, kafka_server.address) as made:
        yield made


async def dead_letters(cluster: Cluster, count: int) -> list[dict[str, bytes]]:
    """Wait for `count` dead letters; return their headers, with key and value."""
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.router["kafka"], fetch_max_wait_ms=5)
    topic = TopicPartition(Topics(cluster.prefix).dead_letters, 0)
    letters = []
    await consumer.start()
    try:
        consumer.assign([topic])
        await consumer.seek_to_beginning(topic)
        async with asyncio.timeout(20):
            while len(letters) < count:
                one = await consumer.getone()
                letters.append({**dict(one.headers), "key": one.key, "value": one.value})
    finally:
        await consumer.stop()
    return letters


async def test_a_restarted_gateway_finds_everyone_who_is_anywhere(cluster: Cluster) -> None:
    """Bob is back, carol has moved, and dave is nowhere."""
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600)
    names = ("bob", "carol", "dave")
    async with User(g1.url, "alice") as alice:
        for name in names:
            async with User(g2.url, name) as user:
                assert await alice.ask(name, "before", f"{name}-1") == "accepted"
                await until(lambda user=user: user.contents == ["before"])
        await until(lambda: g2.stats()["users"] == 0)
        await g2.aclose()
        for name in names:
            for n in range(2, 5):
                assert await alice.ask(name, f"{n}", f"{name}-{n}") == "accepted"
        (g2,) = await cluster.start("g2", ping_s=0.5, presence_ttl_s=1.0)
        async with User(g2.url, "bob") as bob, User(g1.url, "carol") as carol:
            await until(lambda: bob.contents == ["2", "3", "4"])
            await until(lambda: carol.contents == ["2", "3", "4"])
            await until(lambda: len(alice.errors) == 3)
        assert [(one["code"], one["replyTo"]) for one in alice.errors] == [
            ("offline", f"dave-{n}") for n in range(2, 5)
        ]
        # The sender hears at once; the dead letter counts when the broker has it.
        await until(lambda: g2.stats()["router"]["deadLetters"] == 3)
        counts = g2.stats()
        assert counts["router"]["replayed"] >= 9, "and a few control envelopes"
        assert counts["messages"]["forwarded"] >= 1
        letters = await dead_letters(cluster, 3)
        assert {one["reason"] for one in letters} == {b"offline"}
        assert {one["gateway"] for one in letters} == {b"g2"}
        assert [json.loads(one["value"])["id"] for one in letters] == [
            f"dave-{n}" for n in range(2, 5)
        ]


async def test_what_waited_too_long_expires(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g2.url, "bob"):
            assert await alice.ask("bob", "before", "m0") == "accepted"
        await g2.aclose()
        for n in range(5):
            assert await alice.ask("bob", "old", f"old-{n}") == "accepted"
        (g2,) = await cluster.start("g2", message_expiry_s=1e-3)
        await until(lambda: g2.stats()["router"]["expired"] >= 5)
        assert g2.stats()["router"]["deadLetters"] == 0
        await g2.aclose()
        (g2,) = await cluster.start("g2")
        async with User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "new", "m1") == "accepted"
            await until(lambda: bob.contents == ["new"])


async def test_a_drain_commits_what_was_delivered(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600)
    async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
        for n in range(10):
            assert await alice.ask("bob", f"{n}", f"m{n}") == "accepted"
        await until(lambda: len(bob.messages) == 10)
        await g2.aclose()
        (g2,) = await cluster.start("g2")
        async with User(g2.url, "bob") as again:
            assert await alice.ask("bob", "next", "m10") == "accepted"
            await until(lambda: again.messages)
            assert again.contents == ["next"]
        assert g2.stats()["messages"]["received"] == 1


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff\xfe", b"[" * 50_000, b'{"kind":"quack"}', b'{"kind":"message","to":"bob"}', None],
    ids=["empty", "bytes", "deep", "unknown", "half", "tombstone"],
)
async def test_no_record_makes_a_gateway_deaf(cluster: Cluster, value: bytes | None) -> None:
    (g1,) = await cluster.start("g1")
    async with User(g1.url, "bob") as bob:
        producer = AIOKafkaProducer(bootstrap_servers=cluster.router["kafka"])
        await producer.start()
        try:
            topic = Topics(cluster.prefix).of("g1")
            for key in (b"bob", b"\xff", None):
                if value is not None or key is not None:
                    await producer.send_and_wait(topic, value, key=key)
            await producer.send_and_wait(topic, GOOD, key=b"bob")
        finally:
            await producer.stop()
        await until(lambda: bob.contents == ["good"])
        written = 3 if value is not None else 2
        await until(lambda: g1.stats()["router"]["deadLetters"] == written)
        assert g1.stats()["messages"]["badEnvelopes"] == written
        assert {one["reason"] for one in await dead_letters(cluster, written)} == {b"malformed"}
        assert g1.health()["status"] == "ok"


async def test_a_record_too_big_for_an_envelope_is_counted_and_passed(
    redis_server: RedisServer, apache_installed: None, key_prefix: str
) -> None:
    with ApacheKafka(options={"message.max.bytes": "8000000"}) as kafka:
        async with Cluster(redis_server, key_prefix, kafka.address) as cluster:
            (g1,) = await cluster.start("g1")
            async with User(g1.url, "bob") as bob:
                producer = AIOKafkaProducer(
                    bootstrap_servers=kafka.address, max_request_size=8_000_000
                )
                await producer.start()
                try:
                    topic = Topics(cluster.prefix).of("g1")
                    await producer.send_and_wait(topic, b"x" * 2_000_000, key=b"bob")
                    await producer.send_and_wait(topic, GOOD, key=b"bob")
                finally:
                    await producer.stop()
                await until(lambda: bob.contents == ["good"])
                (letter,) = await dead_letters(cluster, 1)
                assert letter["reason"] == b"too_big"
                assert letter["bytes"] == b"2000003", "key and value"


async def refused(*flags: str) -> tuple[int | None, str]:
    """Run `python -m wsgateway` with `flags`; return its exit status and last line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wsgateway", "--id", "g1", "--port", "0", "--router", "kafka"),
        *flags,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    lines = errors.decode().strip().splitlines()
    assert not any("Traceback" in line for line in lines)
    return process.returncode, lines[-1]


async def test_a_kafka_that_cannot_be_used_is_said_in_one_line(
    redis_server: RedisServer, sasl_apache: ApacheKafka, key_prefix: str
) -> None:
    redis = ("--redis", redis_server.url, "--key-prefix", key_prefix)
    status, line = await refused(*redis, "--kafka", "127.0.0.1:1")
    assert (status, "127.0.0.1:1" in line, "Connection refused" in line) == (1, True, True), line
    status, line = await refused(*redis, "--kafka", f"127.0.0.1:{redis_server.port}")
    assert status == 1, line
    status, line = await refused(*redis, "--kafka", "nonsense")
    assert (status, "HOST:PORT" in line) == (2, True), line
    sasl = ("--kafka-security-protocol", "SASL_PLAINTEXT", "--kafka-sasl-username", "user")
    status, line = await refused(
        *redis, "--kafka", sasl_apache.address, *sasl, "--kafka-sasl-password", "wrong"
    )
    assert (status, "wrong" in line) == (1, False), f"no password in {line}"
    status, line = await refused(*redis, "--kafka", sasl_apache.address)
    assert status == 1, line


async def test_a_gateway_id_that_would_be_a_topic_of_ours_is_refused(
    redis_server: RedisServer, tansu_server: TansuServer
) -> None:
    where = ("--redis", redis_server.url, "--kafka", tansu_server.address)
    status, line = await refused(*where, "--id", "dead-letters")
    assert (status, "dead-letters" in line) == (1, True), line


async def test_a_user_who_reads_nothing_holds_up_nobody_of_his_partition(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2", outbox_bytes=64 << 20, stall_s=30.0)
    deaf, other = "erin", "carol"
    assert len({partition_of(name.encode(), PARTITIONS) for name in (deaf, other)}) == 1
    async with (
        User(g1.url, "alice") as alice,
        User(g2.url, other) as carol,
        DeafUser(g2.url, deaf),
    ):
        for n in range(200):  # more than the sockets between them can hold
            await alice.message(deaf, "x" * 60_000, id=f"deaf-{n}")
        await until(lambda: g2.stats()["queues"]["outboxBytes"] > 0)
        for n in range(20):
            assert await alice.ask(other, f"{n}", f"m{n}") == "accepted"
        await until(lambda: carol.contents == [f"{n}" for n in range(20)])
        assert g2.stats()["queues"]["outboxBytes"] > 0, "and he still reads nothing"


async def test_a_kafka_behind_tls(
    redis_server: RedisServer, tls_apache: ApacheKafka, tls_certificate: Path, key_prefix: str
) -> None:
    async with Cluster(redis_server, key_prefix, tls_apache.address) as cluster:
        tls = {"kafka_security_protocol": "SSL", "kafka_ssl_cafile": str(tls_certificate)}
        g1, g2 = await cluster.start("g1", "g2", **tls)
        async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "hi", "m1") == "accepted"
            await until(lambda: bob.contents == ["hi"])


async def test_a_kafka_with_a_login(
    redis_server: RedisServer, sasl_apache: ApacheKafka, key_prefix: str
) -> None:
    async with Cluster(redis_server, key_prefix, sasl_apache.address) as cluster:
        login = {
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_username": "user",
            "kafka_sasl_password": "s3cret",
        }
        g1, g2 = await cluster.start("g1", "g2", **login)
        async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "hi", "m1") == "accepted"
            await until(lambda: bob.contents == ["hi"])


async def test_a_user_who_returns_to_more_than_his_outbox_holds_gets_it_all(
    cluster: Cluster,
) -> None:
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "before", "m") == "accepted"
            await until(lambda: bob.messages)
        await until(lambda: g2.stats()["users"] == 0)
        for n in range(100):
            assert await alice.ask("bob", f"{n} ".ljust(30_000, "."), f"m{n}") == "accepted"
        async with User(g2.url, "bob") as bob:
            await until(lambda: len(bob.messages) == 100)
            assert [int(text.split()[0]) for text in bob.contents] == list(range(100))
            assert bob.closed is None


async def test_messages_may_not_outlive_the_topics(
    redis_server: RedisServer, tansu_server: TansuServer
) -> None:
    where = ("--redis", redis_server.url, "--kafka", tansu_server.address)
    status, line = await refused(*where, "--message-expiry-s", "7200")
    assert (status, "message_expiry_s" in line) == (1, True), line


async def test_a_fence_to_a_gateway_that_died_idle_is_found_at_once(
    redis_server: RedisServer, tansu_server: TansuServer, key_prefix: str
) -> None:
    """Its topic is all committed, so it was not adopted; then a sender remembers the old way."""
    kafka = tansu_server.address
    where = ("--key-prefix", key_prefix, "--router", "kafka", "--kafka", kafka)
    flags = (*where, "--lease-ttl-s", "1")
    link, topics = KafkaLink({"bootstrap_servers": kafka}, 10), Topics(key_prefix)
    async with Cluster(redis_server, key_prefix, kafka) as cluster:
        g1, g3 = await cluster.start("g1", "g3", lease_ttl_s=1.0)
        async with (
            GatewayProcess(
                "g2", redis=redis_server.url, flags=("--lease-ttl-s", "1", *flags)
            ) as g2,
            User(g1.url, "alice") as alice,
        ):
            async with User(g2.url, "bob") as bob:
                assert await alice.ask("bob", "before", "m1") == "accepted"
                await until(lambda: bob.messages)
                async with Backlog(link, topics.group) as backlog, asyncio.timeout(20):
                    while any(one.lag for one in (await backlog.of(topics.of("g2"), 3)).values()):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            g2.kill()
            await g2.wait()
            looked = cluster.gateways
            await until(lambda: any("g2" in adopter(one)._settled for one in looked.values()))
            async with User(g3.url, "bob") as bob:
                assert await alice.ask("bob", "after", "m2") == "accepted"
                await until(lambda: bob.contents == ["after"])
        assert g1.router.patience_s == 4.0


def adopter(gateway: Gateway) -> Adoption:
    assert isinstance(gateway.router, KafkaRouter)
    assert gateway.router._adoption is not None
    return gateway.router._adoption
