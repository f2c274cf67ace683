"""The embedded server: real, private, restartable."""

import importlib.util
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from lifetimes import eventually, is_gone, owner, read_line

from wsgateway.brokers import RedisServer
from wsgateway.brokers import redis as redis_module
from wsgateway.brokers import server as server_module
from wsgateway.brokers.redis import server_binary, server_name
from wsgateway.brokers.server import free_port
from wsgateway.errors import BrokerError

BINARY = server_binary()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as made:
        yield made


def test_is_real_and_says_what_it_is(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        info = client.info("server")
    assert info["process_id"] == server.pid
    assert server.name.split()[0] in ("Valkey", "Redis")


def test_a_killed_one_restarts_on_its_port_and_empty(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("k", "v")
    first_pid, url = server.pid, server.url
    server.kill()
    assert is_gone(first_pid)
    with pytest.raises(BrokerError, match="does not run"):
        server.pause()
    server.restart()
    assert server.url == url
    with redis.Redis.from_url(server.url) as client:
        assert client.get("k") is None


def test_a_paused_one_answers_nothing_until_it_is_resumed(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url, socket_timeout=0.3, retry=None) as client:
        client.ping()
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_taken_port_is_said(server: RedisServer) -> None:
    with pytest.raises(BrokerError, match=rf"port {server.port}.*taken"):
        RedisServer(server.port).start()


def test_stop_may_be_called_twice() -> None:
    server = RedisServer()
    server.start()
    pid = server.pid
    server.stop()
    server.stop()
    assert is_gone(pid)


def test_it_and_its_files_die_with_an_owner_that_is_sigkilled(tmp_path: Path) -> None:
    source = (
        "import signal, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from wsgateway.brokers import RedisServer\n"
        "server = RedisServer()\n"
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


def test_stop_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with RedisServer() as server:
        assert list(tmp_path.iterdir())
        server.kill()
        assert not list(tmp_path.iterdir())
        server.restart()
    assert not list(tmp_path.iterdir())


def test_a_paused_one_can_be_stopped() -> None:
    with RedisServer() as server:
        pid = server.pid
        server.pause()
    assert is_gone(pid)


def test_one_that_died_by_itself_is_known_to_be_gone_and_starts_again(server: RedisServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert not server.running
    with pytest.raises(BrokerError, match="does not run"):
        server.kill()
    server.start()
    assert server.running


def test_it_keeps_nothing_and_listens_on_loopback_only(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        for name, value in (("save", ""), ("appendonly", "no"), ("bind", "127.0.0.1")):
            assert client.config_get(name) == {name: value}


def test_any_password_fits_into_its_url() -> None:
    with (
        RedisServer(password="p@ss w:rd/?#%") as server,
        redis.Redis.from_url(server.url) as client,
    ):
        assert client.ping()


def test_a_port_lost_between_finding_and_binding_is_replaced(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = [server.port, server.port, free_port()]
    last = offered[-1]
    monkeypatch.setattr(server_module, "free_port", lambda: offered.pop(0))
    with RedisServer() as second:
        assert second.port == last


def test_a_port_taken_by_what_is_no_redis_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"^port {port} on 127.0.0.1 is taken"):
            RedisServer(port).start()


def test_a_server_that_ends_at_once_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_module, "server_binary", lambda: "/bin/false")
    with pytest.raises(BrokerError, match="ended at once: it said nothing"):
        RedisServer().start()


def test_without_the_wheel_one_on_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="no Redis server: install"):
        RedisServer().start()
    (tmp_path / "valkey-server").symlink_to(BINARY)
    with RedisServer() as server:
        assert server.running


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (
            {"server_name": "valkey", "valkey_version": "9.1.2", "redis_version": "7.2.4"},
            "Valkey 9.1.2",
        ),
        ({"redis_version": "8.2.1"}, "Redis 8.2.1"),
    ],
)
def test_it_is_named_for_what_it_is(info: dict[str, str], name: str) -> None:
    assert server_name(info) == name
