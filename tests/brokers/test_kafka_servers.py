"""Tansu and Apache Kafka as children: real, private, restartable."""

import importlib.util
import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from kafka_log import append, create, read, topics
from lifetimes import eventually, is_gone, owner, read_line

from wsgateway.brokers import ApacheKafka, TansuServer, free_port, identify_kafka
from wsgateway.brokers import server as server_module
from wsgateway.brokers import tansu as tansu_module
from wsgateway.brokers.apache_jars import kafka_version
from wsgateway.brokers.tansu import tansu_binary
from wsgateway.errors import BrokerError, KafkaUnavailable

Kafka = TansuServer | ApacheKafka

both = pytest.mark.parametrize("kind", [TansuServer, ApacheKafka])


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    """Tests that start an Apache Kafka of their own need one on the machine."""
    if "kind" in request.fixturenames and request.getfixturevalue("kind") is ApacheKafka:
        request.getfixturevalue("apache_installed")


def test_they_are_named_for_what_they_are(own_kafka: Kafka) -> None:
    names = {TansuServer: "Tansu 0.", ApacheKafka: f"Apache Kafka {kafka_version()}"}
    assert own_kafka.name.startswith(names[type(own_kafka)])


async def test_records_are_kept_keyed_and_read_on_from_the_last_commit(own_kafka: Kafka) -> None:
    await create(own_kafka.address)
    await append(own_kafka.address, b"a", b"b", b"c")
    assert await read(own_kafka.address, 3, commit=2) == [b"a", b"b", b"c"]
    assert await read(own_kafka.address, 1) == [b"c"]


async def test_a_killed_apache_comes_back_with_its_data(apache_installed: None) -> None:
    with ApacheKafka() as server:
        await create(server.address)
        await append(server.address, b"a", b"b")
        await read(server.address, 2, commit=1)
        pid, address = server.pid, server.address
        server.kill()
        assert is_gone(pid)
        with pytest.raises(BrokerError, match="does not run"):
            server.pause()
        server.restart()
        assert server.address == address
        await append(server.address, b"c")
        assert await read(server.address, 2) == [b"b", b"c"]


async def test_a_killed_tansu_comes_back_empty() -> None:
    with TansuServer() as server:
        await create(server.address)
        address = server.address
        server.kill()
        server.restart()
        assert server.address == address
        assert await topics(address) == []


async def test_one_that_runs_can_be_restarted_too(own_kafka: Kafka) -> None:
    pid = own_kafka.pid
    own_kafka.restart()
    assert is_gone(pid)
    assert await identify_kafka(own_kafka.address)


async def test_one_that_died_by_itself_starts_again(own_kafka: Kafka) -> None:
    await create(own_kafka.address)
    os.kill(own_kafka.pid, signal.SIGKILL)
    own_kafka.wait()
    assert not own_kafka.running
    with pytest.raises(BrokerError, match="does not run"):
        own_kafka.kill()
    own_kafka.start()
    kept = ["log"] if isinstance(own_kafka, ApacheKafka) else []
    assert await topics(own_kafka.address) == kept


async def test_a_paused_one_answers_nothing_until_it_is_resumed(own_kafka: Kafka) -> None:
    own_kafka.pause()
    assert own_kafka.running
    with pytest.raises(KafkaUnavailable, match="does not answer"):
        await identify_kafka(own_kafka.address, timeout_s=0.3)
    own_kafka.resume()
    assert await identify_kafka(own_kafka.address)


def test_a_taken_port_is_said(own_kafka: Kafka) -> None:
    with pytest.raises(BrokerError, match=rf"^port {own_kafka.port} on 127.0.0.1 is taken"):
        type(own_kafka)(own_kafka.port).start()


@both
def test_a_port_taken_by_what_is_no_kafka_is_said(kind: type[Kafka]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"^port {port} on 127.0.0.1 is taken"):
            kind(port).start()


@both
def test_a_port_lost_between_finding_and_binding_is_replaced(
    kind: type[Kafka], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        last = free_port()
        offered = [other.getsockname()[1], last]
        monkeypatch.setattr(server_module, "free_port", lambda: offered.pop(0))
        with kind() as server:
            assert server.port == last


def test_a_controller_port_lost_is_replaced_though_the_port_is_fixed(
    apache_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        offered = [other.getsockname()[1], free_port()]
        monkeypatch.setattr("wsgateway.brokers.apache.free_port", lambda: offered.pop(0))
        with ApacheKafka(fixed) as server:
            assert (server.port, offered) == (fixed, [])


def test_stop_leaves_no_files(
    own_kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    second = type(own_kafka)()
    second.start()
    assert list(tmp_path.iterdir())
    pid = second.pid
    second.kill()
    assert bool(list(tmp_path.iterdir())) == isinstance(second, ApacheKafka)
    second.restart()
    second.pause()
    second.stop()
    second.stop()
    assert is_gone(pid)
    assert not list(tmp_path.iterdir())


@both
def test_it_and_its_files_die_with_an_owner_that_is_sigkilled(
    kind: type[Kafka], tmp_path: Path
) -> None:
    source = (
        "import signal, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        f"from wsgateway.brokers import {kind.__name__}\n"
        f"server = {kind.__name__}()\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with owner(source) as process:
        pid = int(read_line(process))
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGKILL)
        assert eventually(lambda: is_gone(pid))
        assert eventually(lambda: not list(tmp_path.iterdir()))


def test_they_listen_on_one_address_of_loopback_only(own_kafka: Kafka) -> None:
    with socket.create_connection(("127.0.0.1", own_kafka.port), 5):
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", own_kafka.port), 5)


async def test_apache_takes_further_properties(apache_installed: None) -> None:
    with ApacheKafka(options={"message.max.bytes": "2000"}) as server:
        await create(server.address)
        await append(server.address, b"x" * 1_000)
        with pytest.raises(MessageSizeTooLargeError):
            await append(server.address, b"x" * 3_000)


def test_what_apache_says_before_it_ends_is_quoted(apache_installed: None) -> None:
    with pytest.raises(BrokerError, match=r"Apache Kafka on port \d+ ended at once: .*plenty"):
        ApacheKafka(options={"num.io.threads": "plenty"}).start()


def test_a_tansu_that_ends_at_once_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tansu_module, "tansu_version", lambda _: "0")
    monkeypatch.setattr(tansu_module, "tansu_binary", lambda: "/bin/false")
    with pytest.raises(BrokerError, match="ended at once: it said nothing"):
        TansuServer().start()


def test_without_the_wheel_a_tansu_on_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tansu_binary()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="no Tansu broker: install"):
        TansuServer().start()
    (tmp_path / "tansu").symlink_to(binary)
    with TansuServer() as server:
        assert server.running
