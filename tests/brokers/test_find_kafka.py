"""Which Kafka a gateway uses, and the one line that says why it cannot."""

import asyncio
import builtins
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lifetimes import is_gone

from wsgateway.brokers import (
    ApacheKafka,
    RedisServer,
    TansuServer,
    find_kafka,
    free_port,
    identify_kafka,
)
from wsgateway.brokers.find_kafka import _name
from wsgateway.brokers.wire import Versions
from wsgateway.errors import KafkaUnavailable

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "user",
    "sasl_plain_password": "s3cret",
}


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """The address of something that answers whatever comes with `answer`, and hangs up."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def trouble(work: Awaitable[object]) -> str:
    with pytest.raises(KafkaUnavailable) as caught:
        await work
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_a_given_one_is_used(kafka_server: TansuServer | ApacheKafka) -> None:
    found = await find_kafka(kafka_server.address, local_port=1)
    assert (found.how, found.address, found.server) == ("given", kafka_server.address, None)
    assert kafka_server.name.startswith(found.name)  # of Apache Kafka, the patch is not told
    await found.aclose()
    assert not is_gone(kafka_server.pid)


async def test_a_given_one_that_does_not_answer_has_no_fallback(tansu_server: TansuServer) -> None:
    said = await trouble(find_kafka("127.0.0.1:1", local_port=tansu_server.port))
    assert said == "Kafka at 127.0.0.1:1 does not answer: Connection refused"


async def test_of_several_one_that_answers_is_enough(tansu_server: TansuServer) -> None:
    both = f"127.0.0.1:1,{tansu_server.address}"
    found = await find_kafka(both)
    assert (found.address, found.name) == (both, tansu_server.name)
    said = await trouble(find_kafka("127.0.0.1:1,nonsense"))
    assert "127.0.0.1:1 does not answer" in said
    assert "'nonsense': must be HOST:PORT" in said


async def test_what_answers_on_localhost_is_found(tansu_server: TansuServer) -> None:
    found = await find_kafka(None, local_port=tansu_server.port)
    assert (found.how, found.address, found.server) == ("found", tansu_server.address, None)


async def test_gateways_started_together_share_one_embedded_tansu() -> None:
    port = free_port()
    found = await asyncio.gather(*(find_kafka(None, local_port=port) for _ in range(4)))
    pids = [one.server.pid for one in found if one.server is not None]
    try:
        assert sorted(one.how for one in found) == ["embedded", "found", "found", "found"]
        assert {(one.address, one.name) for one in found} == {(f"127.0.0.1:{port}", found[0].name)}
    finally:
        for one in found:
            await one.aclose()
    assert [is_gone(pid) for pid in pids] == [True]


async def test_an_embedded_one_takes_no_login() -> None:
    said = await trouble(find_kafka(None, LOGIN, local_port=free_port()))
    assert said == "SASL_PLAINTEXT is for a Kafka elsewhere: say where it is"


async def test_logins_are_asked_for_and_never_shown(sasl_apache: ApacheKafka) -> None:
    assert (await identify_kafka(sasl_apache.address, LOGIN)).startswith("Apache Kafka 4.")
    wrong = LOGIN | {"sasl_plain_password": "wr0ng"}
    asked = f"Kafka at {sasl_apache.address} cannot be used: "
    said = await trouble(identify_kafka(sasl_apache.address))
    assert said == f"{asked}it wants a login (SASL)"
    said = await trouble(identify_kafka(sasl_apache.address, wrong))
    assert said == f"{asked}it refuses this login"
    scram = LOGIN | {"sasl_mechanism": "SCRAM-SHA-256"}
    said = await trouble(identify_kafka(sasl_apache.address, scram))
    assert said == f"{asked}it does not take a SCRAM-SHA-256 login"


async def test_a_login_nobody_wants_is_said(kafka_server: TansuServer | ApacheKafka) -> None:
    said = await trouble(identify_kafka(kafka_server.address, LOGIN))
    assert said.startswith(f"Kafka at {kafka_server.address} cannot be used: it ")


async def test_tls_is_asked_for_and_checked(tls_apache: ApacheKafka, tls_certificate: Path) -> None:
    assert await trouble(identify_kafka(tls_apache.address)) == (
        f"Kafka at {tls_apache.address} wants TLS"
    )
    trusting = ssl.create_default_context(cafile=str(tls_certificate))
    tls = {"security_protocol": "SSL", "ssl_context": trusting}
    assert (await identify_kafka(tls_apache.address, tls)).startswith("Apache Kafka 4.")
    said = await trouble(
        identify_kafka(tls_apache.address, tls | {"ssl_context": ssl.create_default_context()})
    )
    assert said == f"Kafka at {tls_apache.address}: TLS fails: CERTIFICATE_VERIFY_FAILED"


async def test_tls_to_a_plain_broker_is_said(apache_server: ApacheKafka) -> None:
    tls = {"security_protocol": "SSL", "ssl_context": ssl.create_default_context()}
    said = await trouble(identify_kafka(apache_server.address, tls))
    assert said.startswith(f"Kafka at {apache_server.address}: TLS fails: ")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers at {} is no Kafka"),
        (b"-ERR unknown command\r\n", "what answers at {} is no Kafka"),
        (b"", "what answers at {} is no Kafka"),
        (struct.pack(">i", 8) + b"nonsense", "what answers at {} is no Kafka"),
        (struct.pack(">i", 8) + b"less", "what answers at {} is no Kafka"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "Kafka at {} wants TLS"),
        (
            struct.pack(">iihihhh", 16, 1, 35, 1, 3, 0, 12),
            "Kafka at {} does not know Produce, Fetch, ListOffsets, OffsetCommit, OffsetFetch, "
            "FindCoordinator, CreateTopics",
        ),
    ],
)
async def test_what_is_no_kafka_of_use_is_refused(answer: bytes, why: str) -> None:
    async with answering(answer) as address:
        assert await trouble(identify_kafka(address)) == why.format(address)


async def test_a_redis_waits_for_more_and_is_a_timeout(redis_server: RedisServer) -> None:
    address = f"127.0.0.1:{redis_server.port}"
    said = await trouble(identify_kafka(address, timeout_s=0.3))
    assert said == f"what listens at {address} does not answer as Kafka in 0.3 s"


@pytest.mark.parametrize(
    "address", ["", "localhost", ":9092", "localhost:", "localhost:0", "h:65536", "h:²", "a:1,"]
)
async def test_a_bad_address_is_one_clear_line(address: str) -> None:
    assert "must be HOST:PORT" in await trouble(identify_kafka(address))


@pytest.mark.parametrize("address", ["no.such.host.invalid:9092", "a..b:9092"])
async def test_a_host_nobody_knows_is_said(address: str) -> None:
    assert f"Kafka at {address} does not answer: " in await trouble(identify_kafka(address))


async def test_an_address_in_brackets_is_understood() -> None:
    assert "[::1]:1 does not answer: " in await trouble(identify_kafka("[::1]:1"))


async def test_without_the_client_library_it_says_what_to_install(
    tansu_server: TansuServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: Callable[..., object] = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "aiokafka":
            raise ModuleNotFoundError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    said = await trouble(identify_kafka(tansu_server.address))
    assert said == "Kafka needs aiokafka: pip install 'wsgateway[kafka]'"


@pytest.mark.parametrize(
    ("cluster", "level", "name"),
    [
        ("tansu-0.6.0-1a2b3c4d", None, "Tansu 0.6.0"),
        ("tansu_cluster", None, "Tansu"),
        ("redpanda.0b1c", None, "Redpanda"),
        ("5L6g3nShT-eMCtK--X86sw", 14, "Apache Kafka 3.6"),
        ("5L6g3nShT-eMCtK--X86sw", 25, "Apache Kafka 4.0"),
        ("5L6g3nShT-eMCtK--X86sw", 33, "Apache Kafka 4.4"),
        ("5L6g3nShT-eMCtK--X86sw", 99, "Apache Kafka newer than 4.4"),
        ("anything", None, "a Kafka-compatible broker"),
    ],
)
def test_it_is_named_for_what_it_is(cluster: str, level: int | None, name: str) -> None:
    assert _name(cluster, Versions(frozenset(), level)) == name
