"""Both ways a heartbeat fails, on live gateways with their clocks turned up."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from raw import until
from redis.asyncio import Redis
from users import Cluster, User

from wsgateway.brokers import RedisServer
from wsgateway.process import GatewayProcess

SCALE = 0.01  # ping 0.3 s, timeout and presence 0.9 s, sweep 0.6 s


@pytest.fixture
async def cluster(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Cluster]:
    async with Cluster(redis_server, key_prefix) as made:
        yield made


class Pings:
    """Keeps a user alive, as a client does."""

    def __init__(self, user: User, ping_s: float) -> None:
        self._user = user
        self._ping_s = ping_s

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._ping())

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _ping(self) -> None:
        while not self._user.closed:
            await self._user.say(type="ping")
            await asyncio.sleep(self._ping_s)


async def present(cluster: Cluster, user: str) -> bool:
    async with Redis.from_url(cluster.redis) as redis:
        return bool(await redis.exists(f"{cluster.prefix}presence:{user}"))


async def test_a_client_that_stops_pinging_is_closed_and_forgotten(cluster: Cluster) -> None:
    (g1,) = await cluster.start("g1", scale=SCALE)
    async with (
        User(g1.url, "alive") as alive,
        User(g1.url, "silent") as silent,
        Pings(alive, g1.config.ping_s),
    ):
        await until(lambda: silent.closed)
        assert silent.closed is not None
        assert silent.closed[0] == 4002
        assert alive.closed is None
        assert alive.pongs > 0
        assert await present(cluster, "alive")
        await until(lambda: g1.stats()["connections"] == 1)
        assert not await present(cluster, "silent")
        assert g1.stats()["closed"] == {"4002": 1}


async def test_a_client_that_only_sends_messages_is_alive_and_present(cluster: Cluster) -> None:
    (g1,) = await cluster.start("g1", scale=SCALE)
    async with User(g1.url, "talker") as talker:
        for n in range(7):  # two presence lifetimes
            await talker.ask("nobody", "hi", f"m{n}")
            assert await present(cluster, "talker")
            await asyncio.sleep(g1.config.ping_s)
        assert talker.closed is None


@asynccontextmanager
async def client_process(url: str, user: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of its own that registers `user` and pings ten times a second."""
    code = f"""
import asyncio, json
from websockets.asyncio.client import connect
async def main():
    async with connect({url!r}) as ws:
        await ws.send(json.dumps({{"type": "register", "userId": {user!r}}}))
        while True:
            await ws.send('{{"type":"ping"}}')
            await asyncio.sleep(0.1)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_a_half_open_socket_is_found_by_the_sweep(cluster: Cluster) -> None:
    """A paused client: its kernel still answers, its program does not."""
    (g1,) = await cluster.start("g1", scale=SCALE, close_timeout_s=0.2)
    async with client_process(g1.url, "bob") as process:
        await until(lambda: g1.stats()["users"] == 1)
        process.send_signal(signal.SIGSTOP)
        await until(lambda: g1.stats()["connections"] == 0)
        assert g1.stats()["closed"] == {"4002": 1}
        assert not await present(cluster, "bob")


async def test_a_paused_gateway_process_keeps_its_clients(
    redis_server: RedisServer, key_prefix: str
) -> None:
    flags = ("--key-prefix", key_prefix, "--time-scale", str(SCALE))
    async with (
        GatewayProcess("g1", redis=redis_server.url, flags=flags) as g1,
        User(g1.url, "bob") as bob,
        Pings(bob, 0.1),
    ):
        g1.pause()
        await asyncio.sleep(2 * 90 * SCALE)  # twice the heartbeat timeout
        g1.resume()
        pongs = bob.pongs
        await until(lambda: bob.closed or bob.pongs > pongs + 20)
        assert bob.closed is None
