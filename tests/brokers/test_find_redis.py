"""Which Redis a gateway uses, and the one line that says why it cannot."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis
from lifetimes import is_gone

from wsgateway.brokers import RedisServer, find_redis, identify
from wsgateway.brokers.server import free_port
from wsgateway.errors import RedisUnavailable


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
    port = free_port()
    first = await find_redis(None, local_port=port)
    assert first.server is not None
    pid = first.server.pid
    try:
        second = await find_redis(None, local_port=port)
        assert (first.how, second.how) == ("embedded", "found")
        assert (first.url, first.name) == (second.url, second.name)
    finally:
        await first.aclose()
    assert is_gone(pid)


async def test_gateways_started_together_share_one_embedded_server() -> None:
    port = free_port()
    found = await asyncio.gather(*(find_redis(None, local_port=port) for _ in range(4)))
    try:
        assert sorted(one.how for one in found) == ["embedded", "found", "found", "found"]
        assert {one.url for one in found} == {f"redis://127.0.0.1:{port}"}
    finally:
        for one in found:
            await one.aclose()


async def test_what_is_on_localhost_but_cannot_be_used_is_not_passed_over() -> None:
    with RedisServer(password="s3cret") as server, pytest.raises(RedisUnavailable) as caught:
        await find_redis(None, local_port=server.port)
    assert str(caught.value) == f"Redis at redis://127.0.0.1:{server.port} needs a password"


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


@pytest.mark.parametrize(
    "url", ["http://localhost", "redis://localhost:port", "redis://[::1", "nonsense", ""]
)
async def test_a_bad_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(RedisUnavailable, match="Redis URL") as caught:
        await find_redis(url)
    assert "\n" not in str(caught.value)


async def test_a_password_in_the_query_works_and_is_not_shown() -> None:
    with RedisServer(password="s3cret") as server:
        found = await find_redis(f"redis://127.0.0.1:{server.port}?password=s3cret")
        assert found.safe_url == f"redis://127.0.0.1:{server.port}"
        with pytest.raises(RedisUnavailable, match="refuses this password") as caught:
            await find_redis(f"redis://127.0.0.1:{server.port}?password=wr0ng")
        assert "wr0ng" not in str(caught.value)


async def test_a_user_who_may_not_ask_for_the_version_is_let_in(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER", "lean", "on", ">pw", "+hello", "+ping")
    found = await find_redis(f"redis://lean:pw@127.0.0.1:{server.port}")
    assert found.name.startswith("Redis (")


async def test_a_paused_one_is_a_timeout(server: RedisServer) -> None:
    server.pause()
    with pytest.raises(RedisUnavailable, match=r"does not answer in 0\.2 s"):
        await identify(server.url, timeout_s=0.2)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://127.0.0.1:1", "Connection refused"),
        ("redis://localhost:1", "Connection refused"),
        ("unix:///no/such/socket", "No such file"),
    ],
)
async def test_why_there_is_no_answer_is_said_in_plain_words(url: str, why: str) -> None:
    with pytest.raises(RedisUnavailable) as caught:
        await find_redis(url)
    assert str(caught.value).startswith(f"Redis at {url} does not answer: {why}")


async def test_plain_tcp_to_a_tls_url_is_one_line(server: RedisServer) -> None:
    with pytest.raises(RedisUnavailable, match="does not answer") as caught:
        await find_redis(server.url.replace("redis:", "rediss:"))
    assert "\n" not in str(caught.value)
