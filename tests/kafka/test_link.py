"""Connecting: a wrong address, a wrong login, something that is no Kafka: one line, in time."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from raw import until
from stage import Stage, silence, written

from wsgateway import tasks
from wsgateway.brokers import ApacheKafka, RedisServer
from wsgateway.config import Config
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.publisher import Publisher, Record
from wsgateway.kafka.settings import kafka_settings
from wsgateway.kafka.topics import Topics
from wsgateway.protocol import Status

TIMEOUT_S = 1.0


def link_to(address: str, timeout_s: float = TIMEOUT_S, **options: Any) -> KafkaLink:
    return KafkaLink(kafka_settings(Config(router="kafka", kafka=address, **options)), timeout_s)


async def refused(link: KafkaLink) -> str:
    """Try every kind of client; return what the last one said."""
    catalog = Catalog(link)
    for starting in (
        catalog.start(),
        Backlog(link, "group").start(),
        link.started(link.producer(idempotent=True, batch_bytes=1 << 20)),
    ):
        began_s = time.monotonic()
        with pytest.raises(KafkaUnavailable) as said:
            await starting
        assert time.monotonic() - began_s < 3 * TIMEOUT_S
        assert str(said.value).startswith("Kafka")
        assert "\n" not in str(said.value)
    return str(said.value)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "127.0.0.1" in await refused(link_to(f"127.0.0.1:{port}"))


async def test_a_host_that_does_not_exist() -> None:
    await refused(link_to("no-such-host.invalid:9092"))


async def test_somebody_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        await refused(link_to(f"127.0.0.1:{mute.getsockname()[1]}", 0.2))


@pytest.fixture(
    params=[b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\4\0\0\0\0", b"\xff" * 64]
)
async def stranger(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """The port of something that answers as no Kafka does, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(request.param)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_what_answers_is_no_kafka(stranger: int) -> None:
    await refused(link_to(f"127.0.0.1:{stranger}"))


async def test_what_answers_is_a_redis(redis_server: RedisServer) -> None:
    await refused(link_to(f"127.0.0.1:{redis_server.port}", 0.2))


async def test_one_of_two_brokers_is_enough(stage: Stage) -> None:
    link = link_to(f"127.0.0.1:1,{stage.kafka.address}")
    async with Catalog(link) as catalog:
        assert await catalog.names() == await stage.catalog.names()


async def test_a_login_is_wanted(sasl_apache: ApacheKafka) -> None:
    await refused(link_to(sasl_apache.address))


@pytest.mark.parametrize(
    ("user", "password", "mechanism"),
    [
        ("user", "wrong", "PLAIN"),
        ("nobody", "s3cret", "PLAIN"),
        ("user", "s3cret", "SCRAM-SHA-256"),
    ],
)
async def test_a_login_that_is_refused(
    sasl_apache: ApacheKafka, user: str, password: str, mechanism: str
) -> None:
    said = await refused(
        link_to(
            sasl_apache.address,
            kafka_security_protocol="SASL_PLAINTEXT",
            kafka_sasl_mechanism=mechanism,
            kafka_sasl_username=user,
            kafka_sasl_password=password,
        )
    )
    assert password not in said


async def test_a_login_that_is_right(sasl_apache: ApacheKafka, key_prefix: str) -> None:
    link = link_to(
        sasl_apache.address,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_username="user",
        kafka_sasl_password="s3cret",
    )
    await works(link, key_prefix)


async def test_tls(tls_apache: ApacheKafka, tls_certificate: Path, key_prefix: str) -> None:
    options = {"kafka_security_protocol": "SSL", "kafka_ssl_cafile": str(tls_certificate)}
    await works(link_to(tls_apache.address, **options), key_prefix)


async def works(link: KafkaLink, prefix: str) -> None:
    topic = Topics(prefix).of("g1")
    async with Catalog(link) as catalog, Backlog(link, "group") as backlog:
        await catalog.ensure(topic, 1)
        publisher = Publisher(link, catalog, KafkaCounts(), timeout_s=TIMEOUT_S)
        await publisher.start()
        assert await written(publisher, topic, Record(b"bob", b"{}")) is Status.ACCEPTED
        await publisher.aclose()
        assert (await backlog.of(topic, 1))[0].lag == 1


async def test_tls_of_somebody_we_do_not_trust(tls_apache: ApacheKafka) -> None:
    await refused(link_to(tls_apache.address, kafka_security_protocol="SSL"))


async def test_plain_text_to_a_tls_port(tls_apache: ApacheKafka) -> None:
    await refused(link_to(tls_apache.address))


async def test_tls_to_a_plain_text_port(apache_server: ApacheKafka, tls_certificate: Path) -> None:
    options = {"kafka_security_protocol": "SSL", "kafka_ssl_cafile": str(tls_certificate)}
    await refused(link_to(apache_server.address, **options))


@pytest.mark.parametrize("cut_off", [False, True], ids=["closed", "cut off"])
async def test_after_a_close_nothing_of_a_client_runs_on(own_stage: Stage, cut_off: bool) -> None:
    """A producer with a write under way, on a broker that is silent: also when time is up."""
    link = KafkaLink(own_stage.link.settings, TIMEOUT_S)
    topic = own_stage.topics.of("g1")
    await own_stage.make(topic)
    before = asyncio.all_tasks()
    producer = await link.started(link.producer(idempotent=own_stage.apache, batch_bytes=1 << 20))
    await producer.send_and_wait(topic, b"1")
    consumer = await link.started(link.consumer("group", fetch_wait_s=0.1))
    consumer.assign(assigned(topic, 3))
    await consumer.getone()
    await silence(own_stage.kafka)
    writing = await producer.send(topic, b"2", partition=0)
    for client in (producer, consumer):
        closing = asyncio.create_task(link.close(client))
        async with asyncio.timeout(3 * TIMEOUT_S):
            if cut_off:
                await asyncio.sleep(0)
                await tasks.end(closing)
            await asyncio.wait([closing])
    own_stage.kafka.resume()
    assert writing.done()
    assert writing.exception() is not None
    await until(lambda: not running_since(before))


def running_since(before: set["asyncio.Task[Any]"]) -> list[str]:
    """What runs now and did not then; a connection's reader ends when the peer answers."""
    new = asyncio.all_tasks() - before
    names = [task.get_coro().__qualname__ for task in new]  # type: ignore[union-attr]
    return [name for name in names if name != "AIOKafkaConnection._read"]
