"""The embedded server: real, private, restartable, and found in the right order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from wsgateway.brokers import RedisServer, find_redis
from wsgateway.errors import BrokerError, RedisUnavailable


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Poll `condition` until it holds or the deadline passes."""
    deadline_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return condition()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as made:
        yield made


@pytest.fixture
def foreign_port() -> Iterator[int]:
    """A port where something listens that is no Redis."""

    source = (
        "import socketserver\n"
        "class H(socketserver.BaseRequestHandler):\n"
        "    def handle(self):\n"
        "        self.request.recv(99)\n"
        "        self.request.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')\n"
        "s = socketserver.TCPServer(('127.0.0.1', 0), H)\n"
        "print(s.server_address[1], flush=True)\n"
        "s.serve_forever()\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


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


def test_dies_with_its_owner_even_when_that_is_sigkilled() -> None:
    source = (
        "import signal\n"
        "from wsgateway.brokers import RedisServer\n"
        "server = RedisServer()\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not is_gone(pid)
        owner.send_signal(signal.SIGKILL)
    assert eventually(lambda: is_gone(pid))


async def test_a_given_one_is_used(server: RedisServer) -> None:
    found = await find_redis(server.url, local_port=1)
    assert (found.how, found.url, found.name) == ("given", server.url, server.name)
    await found.aclose()
    assert not is_gone(server.pid)


async def test_a_given_one_that_does_not_answer_has_no_fallback(server: RedisServer) -> None:
    with pytest.raises(RedisUnavailable, match="does not answer"):
        await find_redis("redis://127.0.0.1:1", local_port=server.port)


async def test_what_answers_on_localhost_is_found(server: RedisServer) -> None:
    found = await find_redis(None, local_port=server.port)
    assert (found.how, found.server) == ("found", None)


async def test_else_an_embedded_one_is_started_for_others_to_find() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    first = await find_redis(None, local_port=port)
    try:
        second = await find_redis(None, local_port=port)
        assert (first.how, second.how) == ("embedded", "found")
    finally:
        await first.aclose()


async def test_passwords_are_asked_for_and_never_shown() -> None:
    with RedisServer(password="s3cret") as server:
        without = f"redis://127.0.0.1:{server.port}"
        with pytest.raises(RedisUnavailable, match="needs a password"):
            await find_redis(without)
        with pytest.raises(RedisUnavailable, match="refuses this password") as caught:
            await find_redis(f"redis://:wr0ng@127.0.0.1:{server.port}")
        assert "wr0ng" not in str(caught.value)
        found = await find_redis(server.url)
        assert "s3cret" not in found.safe_url


async def test_what_is_no_redis_is_refused(foreign_port: int) -> None:
    with pytest.raises(RedisUnavailable, match="no Redis"):
        await find_redis(f"redis://127.0.0.1:{foreign_port}")


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost:port", "nonsense"])
async def test_a_bad_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(RedisUnavailable, match="Redis URL") as caught:
        await find_redis(url)
    assert "\n" not in str(caught.value)
