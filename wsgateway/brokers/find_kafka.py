"""Finding the Kafka a gateway will use, and saying in one line why one cannot be used."""

import asyncio
import ssl
import struct
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from wsgateway.brokers.find import listens
from wsgateway.brokers.server import PortTaken
from wsgateway.brokers.tansu import TansuServer
from wsgateway.brokers.wire import NotKafka, Versions, ask_versions, versions
from wsgateway.command import reason
from wsgateway.errors import KafkaUnavailable

STANDARD_PORT = 9092
_TIMEOUT_S = 5.0
_MOST_BYTES = 1 << 20
_TLS_ALERT = b"\x15\x03"
# The requests a gateway makes, by key.
_NEEDED = {
    0: "Produce",
    1: "Fetch",
    2: "ListOffsets",
    3: "Metadata",
    8: "OffsetCommit",
    9: "OffsetFetch",
    10: "FindCoordinator",
    19: "CreateTopics",
}
# The first `metadata.version` of each release, and the first that no release has had yet.
_RELEASES = {
    1: "3.0",
    2: "3.1",
    3: "3.2",
    4: "3.3",
    8: "3.4",
    9: "3.5",
    12: "3.6",
    15: "3.7",
    20: "3.8",
    21: "3.9",
    22: "4.0",
    26: "4.1",
    28: "4.2",
    30: "4.3",
    31: "4.4",
    34: "newer than 4.4",
}


@dataclass
class FoundKafka:
    """The Kafka a gateway will use, and where it comes from.

    Args:
        address: `HOST:PORT`, or several with commas between.
        how: "given" (by flag or environment), "found" (on localhost) or "embedded".
        name: what it really is.
        server: the embedded server; None otherwise.
    """

    address: str
    how: str
    name: str
    server: TansuServer | None = None

    @property
    def fetch_wait_s(self) -> float:
        """How long this broker should hold a fetch that finds nothing, seconds."""
        # Why: Tansu waits on the partitions of a fetch one after another. With three of them and a
        # wait of 500 ms, one record in ten came 250 ms late; with 5 ms, none. Apache Kafka wakes
        # the fetch for any of them, and a long wait costs nothing there.
        # 原因：Tansu 对一次拉取中的分区逐个等待。三个分区、等待 500 ms 时，十条里有一条晚到
        # 250 ms；等待 5 ms 则没有。Apache Kafka 任一分区有新记录就唤醒，等多久都没有代价。
        return 0.005 if self.name.startswith("Tansu") else 0.5

    async def aclose(self) -> None:
        """Stop the embedded server, if there is one."""
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)


async def find_kafka(
    given: str | None,
    settings: Mapping[str, Any] | None = None,
    *,
    local_port: int = STANDARD_PORT,
) -> FoundKafka:
    """Find the Kafka to use: the given one, else what answers on localhost, else an embedded one.

    Args:
        given: `HOST:PORT[,HOST:PORT]`; then there is no fallback.
        settings: how to log in, as aiokafka's clients take it: `security_protocol`, `sasl_...`.
        local_port: where to look, and where to start the embedded one for others to find.

    Raises:
        KafkaUnavailable: the given one, or what listens on localhost, cannot be used.
        BrokerError: an embedded one cannot be started.
    """
    if given is not None:
        return FoundKafka(given, "given", await identify_kafka(given, settings))
    local = f"127.0.0.1:{local_port}"
    if not await listens(local_port):
        protocol = (settings or {}).get("security_protocol", "PLAINTEXT")
        if protocol != "PLAINTEXT":
            raise KafkaUnavailable(f"{protocol} is for a Kafka elsewhere: say where it is")
        server = TansuServer(local_port)
        try:
            await asyncio.to_thread(server.start)
            return FoundKafka(server.address, "embedded", server.name, server)
        except PortTaken:
            # Why: of gateways started together one wins the port; the others find its server.
            # 原因：同时启动的几个网关里只有一个抢到端口，其余的会找到它启动的服务器。
            pass
    return FoundKafka(local, "found", await identify_kafka(local, settings))


async def identify_kafka(
    address: str, settings: Mapping[str, Any] | None = None, timeout_s: float = _TIMEOUT_S
) -> str:
    """Return what the broker at `address` is; of several, the first that can be used.

    Args:
        address: `HOST:PORT[,HOST:PORT]`.
        settings: how to log in, as aiokafka's clients take it.
        timeout_s: bound on each broker, seconds.

    Raises:
        KafkaUnavailable: none can be used; one line says why.
    """
    troubles = []
    for one in address.split(","):
        try:
            async with asyncio.timeout(timeout_s):
                return await _identify(one.strip(), settings or {})
        except TimeoutError:
            trouble = f"what listens at {one} does not answer as Kafka in {timeout_s:g} s"
            troubles.append(KafkaUnavailable(trouble))
        except KafkaUnavailable as error:
            troubles.append(error)
    if len(troubles) == 1:
        raise troubles[0]
    raise KafkaUnavailable("; ".join(map(str, troubles)))


async def _identify(where: str, settings: Mapping[str, Any]) -> str:
    host, _, port = where.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise KafkaUnavailable(f"Kafka address {where!r}: must be HOST:PORT")
    told = await _ask_versions(where, host, int(port), settings)
    lacking = [name for key, name in _NEEDED.items() if key not in told.requests]
    if lacking:
        raise KafkaUnavailable(f"Kafka at {where} does not know {', '.join(lacking)}")
    return _name(await _cluster_id(where, host, int(port), settings), told)


async def _ask_versions(where: str, host: str, port: int, settings: Mapping[str, Any]) -> Versions:
    """Ask what anybody may ask: a login comes after it."""
    tls = settings["ssl_context"] if "SSL" in _protocol(settings) else None
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    except (ConnectionResetError, ssl.SSLError) as error:
        why = error.reason if isinstance(error, ssl.SSLError) else "closed"
        raise KafkaUnavailable(f"Kafka at {where}: TLS fails: {why}") from None
    except (OSError, UnicodeError) as error:
        raise KafkaUnavailable(f"Kafka at {where} does not answer: {reason(error)}") from None
    with closing(writer):
        try:
            writer.write(ask_versions())
            head = await reader.readexactly(4)
            if head.startswith(_TLS_ALERT):
                raise KafkaUnavailable(f"Kafka at {where} wants TLS")
            (size,) = struct.unpack(">I", head)
            if size > _MOST_BYTES:
                raise NotKafka
            return versions(await reader.readexactly(size))
        except (NotKafka, EOFError, OSError):
            raise KafkaUnavailable(f"what answers at {where} is no Kafka") from None


async def _cluster_id(where: str, host: str, port: int, settings: Mapping[str, Any]) -> str:
    """Log in, if that is set, and ask what only those may ask who are in."""
    try:
        from aiokafka import conn, errors
        from aiokafka.protocol.metadata import MetadataRequest
    except ImportError:
        raise KafkaUnavailable("Kafka needs aiokafka: pip install 'wsgateway[kafka]'") from None
    login = {name: value for name, value in settings.items() if name != "bootstrap_servers"}
    link = None
    try:
        link = await conn.create_conn(host, port, **login)
        metadata = await link.send(MetadataRequest([]))
    except errors.KafkaError as error:
        why = reason(error)
        if link is not None and "SASL" not in _protocol(settings):
            why = "it wants a login (SASL)"
        elif isinstance(error, errors.SaslAuthenticationFailed):
            why = "it refuses this login"
        elif isinstance(error, errors.UnsupportedSaslMechanismError):
            why = f"it does not take a {settings.get('sasl_mechanism')} login"
        elif isinstance(error, errors.IllegalSaslStateError):
            why = "it knows no login (SASL)"
        raise KafkaUnavailable(f"Kafka at {where} cannot be used: {why}") from None
    except OSError as error:
        raise KafkaUnavailable(f"Kafka at {where} does not answer: {reason(error)}") from None
    finally:
        if link is not None:
            link.close()
    return str(metadata.cluster_id or "")


def _protocol(settings: Mapping[str, Any]) -> str:
    return str(settings.get("security_protocol", "PLAINTEXT"))


def _name(cluster_id: str, told: Versions) -> str:
    """Return what a broker is, as far as it can be known."""
    # Why: the protocol tells no name. Tansu and Redpanda make themselves known by their cluster
    # id; Apache Kafka alone has a `metadata.version`, which grows from release to release.
    # 原因：协议里没有名称。Tansu 和 Redpanda 可以从集群 id 认出；
    # 只有 Apache Kafka 有 `metadata.version`，并逐版本增大。
    product, _, rest = cluster_id.partition("-")
    if product == "tansu":
        return f"Tansu {rest.partition('-')[0]}"
    if cluster_id.startswith("tansu"):
        return "Tansu"
    if cluster_id.startswith("redpanda"):
        return "Redpanda"
    if told.metadata_version is None:
        return "a Kafka-compatible broker"
    firsts = list(_RELEASES)
    first = firsts[max(0, bisect_right(firsts, told.metadata_version) - 1)]
    return f"Apache Kafka {_RELEASES[first]}"
