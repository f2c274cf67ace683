"""SIGTERM on a real process: everyone is sent away with a hint, nothing stays behind."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from raw import until
from redis.asyncio import Redis
from users import DeafUser, User
from websockets.asyncio.client import connect

from wsgateway.brokers import RedisServer
from wsgateway.process import GatewayProcess


@pytest.fixture
async def g1(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[GatewayProcess]:
    flags = ("--key-prefix", key_prefix, "--drain-s", "8", "--close-timeout-s", "1")
    async with GatewayProcess("g1", redis=redis_server.url, flags=flags) as gateway:
        yield gateway


async def leftovers(redis: RedisServer, prefix: str) -> list[bytes]:
    async with Redis.from_url(redis.url) as client:
        return [key async for key in client.scan_iter(f"{prefix}*")]


async def test_two_hundred_clients_are_sent_away(
    g1: GatewayProcess, redis_server: RedisServer, key_prefix: str
) -> None:
    users = [User(g1.url, f"user-{n}") for n in range(200)]
    for user in users:
        await user.__aenter__()
    assert len(await leftovers(redis_server, key_prefix)) == 201  # the lease of g1 too
    g1.terminate()
    await until(lambda: any(user.closed for user in users))
    with pytest.raises(OSError, match=r".+"):
        await connect(g1.url)
    await until(lambda: all(user.closed for user in users))
    for user in users:
        assert user.closed is not None
        code, reason = user.closed
        assert code == 1012
        hint = re.fullmatch(r"reconnectMs=(\d+)", reason)
        assert hint is not None
        assert 100 <= int(hint[1]) <= 10_000
    async with asyncio.timeout(8):
        assert await g1.wait() == 0
    assert await leftovers(redis_server, key_prefix) == []
    assert "Traceback" not in g1.log
    for user in users:
        await user.__aexit__()


async def test_a_client_that_never_reads_cannot_hold_it_up(
    g1: GatewayProcess, redis_server: RedisServer, key_prefix: str
) -> None:
    async with User(g1.url, "alice") as alice, DeafUser(g1.url, "deaf"):
        for n in range(60):  # more than the sockets between them can hold
            await alice.message("deaf", "x" * 60_000, id=f"m{n}")
        await until(lambda: alice.ack_count)
        g1.terminate()
        async with asyncio.timeout(8):
            assert await g1.wait() == 0
        await until(lambda: alice.closed)
        assert alice.closed is not None
        assert alice.closed[0] == 1012
    assert await leftovers(redis_server, key_prefix) == []
    assert "Traceback" not in g1.log


async def test_a_socket_that_never_registered_is_sent_away_too(g1: GatewayProcess) -> None:
    async with connect(g1.url) as ws:
        g1.terminate()
        async with asyncio.timeout(10):
            await ws.wait_closed()
        assert ws.close_code == 1012
        assert await g1.wait() == 0


async def test_what_was_in_flight_arrives_once_when_retried_elsewhere(
    g1: GatewayProcess, redis_server: RedisServer, key_prefix: str
) -> None:
    flags = ("--key-prefix", key_prefix)
    async with (
        GatewayProcess("g2", redis=redis_server.url, flags=flags) as g2,
        User(g2.url, "bob") as bob,
        User(g1.url, "alice") as alice,
    ):
        for n in range(500):
            await alice.message("bob", f"{n}", id=f"m{n}")
            if n == 250:
                g1.terminate()
            if alice.closed:
                break
        sent = n + 1
        await until(lambda: alice.closed)
        await until(lambda: len(bob.messages) >= alice.ack_count)
        assert len(bob.messages) == alice.ack_count, "what it had taken it has answered"
        missing = [i for i in range(sent) if f"m{i}" not in alice.acks]
        async with User(g2.url, "alice") as again:
            for i in missing:
                await again.message("bob", f"{i}", id=f"m{i}")
            await until(lambda: again.ack_count == len(missing))
        await until(lambda: len(bob.messages) >= sent)
        assert sorted(map(int, bob.contents)) == list(range(sent))


async def test_a_redis_that_does_not_answer_does_not_hold_up_the_drain() -> None:
    with RedisServer() as server:
        flags = ("--drain-s", "2", "--redis-timeout-s", "60")
        async with GatewayProcess("g1", redis=server.url, flags=flags) as gateway:
            users = [User(gateway.url, f"user-{n}") for n in range(20)]
            for user in users:
                await user.__aenter__()
            server.pause()
            gateway.terminate()
            async with asyncio.timeout(30):  # half of what one reply would be waited for
                assert await gateway.wait() == 0
            await until(lambda: all(user.closed for user in users))
            server.resume()
