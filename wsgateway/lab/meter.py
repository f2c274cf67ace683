"""What a few real processes spend: CPU time, memory and publishes, counted from outside."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count

import psutil
from websockets.asyncio.client import ClientConnection, connect

from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop

_PATIENCE_S = 30.0
_CONTENT = "x" * 100
_AT_ONCE = 16  # connections being opened

_numbers = count(1)  # a gateway takes a message id only once


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time between two moments, microseconds.

    Args:
        sender_us: of the gateway that was talked to.
        receivers_us: of the gateways behind it, all together.
        broker_us: of the Redis between them.
    """

    sender_us: float
    receivers_us: float
    broker_us: float


@dataclass(frozen=True, slots=True)
class Run:
    """Messages from one gateway to others, and what they cost.

    Args:
        messages: that crossed, every one of them acknowledged and received.
        publishes: that carried them.
        gateways: how many the recipients were spread over.
        spent: CPU time.
    """

    messages: int
    publishes: int
    gateways: int
    spent: Spent


@dataclass(frozen=True, slots=True)
class Crowd:
    """Users who came to one gateway.

    Args:
        users: how many.
        spent: CPU time of their coming: handshake and registration.
        memory_kib: by how much the gateway process grew.
    """

    users: int
    spent: Spent
    memory_kib: float


def messages(
    cluster: Cluster, sender: str, receivers: Sequence[str], *, total: int, in_flight: int
) -> Run:
    """Send `total` messages from users of one gateway to users of others.

    Args:
        cluster: gateways as processes.
        sender: the gateway of the senders.
        receivers: the gateways of the recipients, who are written to in turn.
        total: messages in all.
        in_flight: how many are on their way at once.
    """
    before = cluster.stats(sender)["router"]["publishes"]
    streaming = _stream(cluster, sender, receivers, total, in_flight)
    spent = shared_loop().run(streaming, _PATIENCE_S)
    publishes = cluster.stats(sender)["router"]["publishes"] - before
    return Run(total, publishes, len(receivers), spent)


def pings(cluster: Cluster, gateway_id: str, *, total: int) -> Spent:
    """Send `total` heartbeats to a gateway, each after the last was answered."""
    return shared_loop().run(_ping(cluster, gateway_id, total), _PATIENCE_S)


def crowd(cluster: Cluster, gateway_id: str, *, users: int) -> Crowd:
    """Let `users` connect to a gateway, register, and leave again."""
    return shared_loop().run(_come(cluster, gateway_id, users), _PATIENCE_S)


class _Clock:
    """CPU time since it was made."""

    def __init__(self, cluster: Cluster, sender: str, receivers: Sequence[str]) -> None:
        self._cluster = cluster
        self._sender = psutil.Process(cluster.processes[sender].pid)
        self._receivers = [psutil.Process(cluster.processes[one].pid) for one in receivers]
        self._before = (0.0, 0.0, 0.0)

    async def start(self) -> None:
        self._before = await self._read()

    async def spent(self) -> Spent:
        after = await self._read()
        return Spent(*(1e6 * (b - a) for a, b in zip(self._before, after, strict=True)))

    async def _read(self) -> tuple[float, float, float]:
        return (
            _cpu_s(self._sender),
            sum(map(_cpu_s, self._receivers)),
            await self._cluster.broker_cpu_s(),
        )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _stream(
    cluster: Cluster, sender: str, receivers: Sequence[str], total: int, in_flight: int
) -> Spent:
    homes = {f"to-{n}": receivers[n % len(receivers)] for n in range(max(8, len(receivers)))}
    async with AsyncExitStack() as sockets:
        writer = await sockets.enter_async_context(_user(cluster.url(sender), "from"))
        readers = [
            await sockets.enter_async_context(_user(cluster.url(home), name))
            for name, home in homes.items()
        ]
        names = list(homes)
        await _exchange(writer, readers, names, 10 * len(names), len(names))  # warm up: routes
        clock = _Clock(cluster, sender, receivers)
        await clock.start()
        await _exchange(writer, readers, names, total, in_flight)
        return await clock.spent()


async def _exchange(
    writer: ClientConnection,
    readers: Sequence[ClientConnection],
    names: Sequence[str],
    total: int,
    in_flight: int,
) -> None:
    """Write to all in turn, a burst at a time; return when all is acknowledged and received."""
    shares = [len(range(n, total, len(names))) for n in range(len(names))]
    async with asyncio.TaskGroup() as reading:
        for reader, share in zip(readers, shares, strict=True):
            reading.create_task(_take(reader, share))
        for begin in range(0, total, in_flight):
            burst = range(begin, min(begin + in_flight, total))
            for number in burst:
                frame = {"type": "message", "to": names[number % len(names)], "content": _CONTENT}
                await writer.send(json.dumps(frame | {"id": f"m{next(_numbers)}"}))
            await _take(writer, len(burst))


async def _take(socket: ClientConnection, frames: int) -> None:
    for _ in range(frames):
        frame = json.loads(await socket.recv())
        if frame["type"] == "error" or frame.get("status", "routed") != "routed":
            raise RuntimeError(f"a message did not cross: {frame}")


async def _ping(cluster: Cluster, gateway_id: str, total: int) -> Spent:
    async with _user(cluster.url(gateway_id), "pinging") as socket:
        clock = _Clock(cluster, gateway_id, [])
        await clock.start()
        for _ in range(total):
            await socket.send('{"type":"ping"}')
            await socket.recv()
        return await clock.spent()


async def _come(cluster: Cluster, gateway_id: str, users: int) -> Crowd:
    url = cluster.url(gateway_id)
    gateway = psutil.Process(cluster.processes[gateway_id].pid)
    async with AsyncExitStack() as sockets:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def come(name: str) -> None:
            async with gate:
                await sockets.enter_async_context(_user(url, name))

        async def all_come(names: Sequence[str]) -> None:
            async with asyncio.TaskGroup() as coming:
                for name in names:
                    coming.create_task(come(name))

        await all_come([f"early-{n}" for n in range(_AT_ONCE)])  # warm up
        before = gateway.memory_info().rss
        clock = _Clock(cluster, gateway_id, [])
        await clock.start()
        await all_come([f"crowd-{n}" for n in range(users)])
        spent = await clock.spent()
        return Crowd(users, spent, (gateway.memory_info().rss - before) / 1024)


@asynccontextmanager
async def _user(url: str, name: str) -> AsyncIterator[ClientConnection]:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "register", "userId": name}))
        answer = json.loads(await socket.recv())
        if answer["type"] != "register":
            raise RuntimeError(answer["message"])
        yield socket
