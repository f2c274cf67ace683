"""What a few real processes spend: CPU time, memory and publishes, counted from outside."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from random import Random

import psutil
from websockets.asyncio.client import ClientConnection, connect

from wsgateway.bench.limits import raise_files
from wsgateway.lab.capacity import Costs, Crowd, Run, Spent, costs
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop

__all__ = ["SHAPES", "crowd", "messages", "pings", "raise_files", "survey"]

_PATIENCE_S = 30.0
_CONTENT = "x" * 100
_EACH = 8  # recipients on each gateway
_AT_ONCE = 16  # connections being opened
_BEATS = 2_500

# Alone, in small and in full bursts, to one gateway and to several: enough to tell prices apart.
SHAPES = ((1, 1), (8, 1), (8, 7), (64, 1), (64, 3), (64, 7))

_numbers = count(1)  # a gateway takes a message id only once


def survey(
    cluster: Cluster,
    gateway_ids: Sequence[str],
    *,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    total: int = 4_000,
    users: int = 1_000,
) -> tuple[list[Run], Costs]:
    """Measure all that the cost model wants: messages of several shapes, heartbeats, a crowd.

    Args:
        cluster: gateways as processes.
        gateway_ids: the first one sends, the others receive, the last one gets the crowd.
        shapes: (messages in one burst, gateways written to).
        total: messages of each shape; a quarter of it where they go one at a time.
        users: size of the crowd.
    """
    # Why: the crowd comes first, while its gateway is fresh. A process that has been busy takes new
    # connections into memory it already has, and they would look like nothing.
    # 原因：先来人群，趁那个网关还是新的。忙过的进程会把新连接放进已有的内存，看上去就像不占内存。
    came = crowd(cluster, gateway_ids[-1], users=users)
    beat = pings(cluster, gateway_ids[0], total=_BEATS)
    runs = [
        messages(
            cluster,
            gateway_ids[0],
            gateway_ids[1 : 1 + many],
            total=total if in_flight > 1 else total // 4,
            in_flight=in_flight,
        )
        for in_flight, many in shapes
    ]
    return runs, costs(runs, beat, _BEATS, came)


def messages(
    cluster: Cluster,
    sender: str,
    receivers: Sequence[str],
    *,
    total: int,
    in_flight: int,
    seed: int = 9,
) -> Run:
    """Send `total` messages from a user of one gateway to users of others.

    Args:
        cluster: gateways as processes.
        sender: the gateway of the sender.
        receivers: the gateways of the recipients.
        total: messages in all.
        in_flight: how many go out in one burst; the next burst waits for all their acks.
        seed: of the choice of a recipient for each message.
    """
    streaming = _stream(cluster, sender, receivers, total, in_flight, Random(seed))
    return shared_loop().run(streaming, _PATIENCE_S)


def pings(cluster: Cluster, gateway_id: str, *, total: int) -> Spent:
    """Send `total` heartbeats to a gateway, each after the last was answered."""
    return shared_loop().run(_ping(cluster, gateway_id, total), _PATIENCE_S)


def crowd(cluster: Cluster, gateway_id: str, *, users: int) -> Crowd:
    """Let `users` connect to a gateway, register, and leave again."""
    return shared_loop().run(_come(cluster, gateway_id, users), _PATIENCE_S)


class _Clock:
    """CPU time of three parties, and what the broker did, between `start` and `stop`."""

    def __init__(self, cluster: Cluster, sender: str, receivers: Sequence[str]) -> None:
        self._cluster = cluster
        self._sender = psutil.Process(cluster.processes[sender].pid)
        self._receivers = [psutil.Process(cluster.processes[one].pid) for one in receivers]

    async def start(self) -> None:
        self._before = await self._read()

    async def stop(self) -> tuple[Spent, tuple[int, int]]:
        """Return the CPU time, and how many batches and publishes the broker got."""
        after = await self._read()
        cpu_s = [b - a for a, b in zip(self._before[:3], after[:3], strict=True)]
        batches, publishes = (b - a for a, b in zip(self._before[3:], after[3:], strict=True))
        return Spent(*(1e6 * one for one in cpu_s)), (int(batches), int(publishes))

    async def _read(self) -> tuple[float, ...]:
        gateways = (_cpu_s(self._sender), sum(map(_cpu_s, self._receivers)))
        told = await self._cluster.broker_info()
        broker_s = told["used_cpu_user"] + told["used_cpu_sys"]
        publishes = told.get("cmdstat_publish", {}).get("calls", 0)
        # Each batch is one write to the broker, which reads it at once.
        return (*gateways, broker_s, told["total_reads_processed"], publishes)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _stream(
    cluster: Cluster,
    sender: str,
    receivers: Sequence[str],
    total: int,
    in_flight: int,
    rng: Random,
) -> Run:
    homes = {f"to-{n}": receivers[n % len(receivers)] for n in range(_EACH * len(receivers))}
    async with AsyncExitStack() as sockets:
        writer = await sockets.enter_async_context(_user(cluster.url(sender), "from"))
        readers = {
            name: await sockets.enter_async_context(_user(cluster.url(home), name))
            for name, home in homes.items()
        }
        await _exchange(writer, readers, list(readers) * 10, in_flight)  # warm up: routes
        clock = _Clock(cluster, sender, receivers)
        await clock.start()
        await _exchange(writer, readers, rng.choices(list(readers), k=total), in_flight)
        spent, (batches, publishes) = await clock.stop()
    return Run(total, batches, publishes, len(receivers), spent)


async def _exchange(
    writer: ClientConnection,
    readers: Mapping[str, ClientConnection],
    names: Sequence[str],
    in_flight: int,
) -> None:
    """Write to `names`, a burst at a time; return when all is acknowledged and received."""
    shares = Counter(names)
    async with asyncio.TaskGroup() as reading:
        for name, share in shares.items():
            reading.create_task(_take(readers[name], share))
        for begin in range(0, len(names), in_flight):
            burst = names[begin : begin + in_flight]
            for name in burst:
                frame = {"type": "message", "to": name, "content": _CONTENT}
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
        return (await clock.stop())[0]


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
        spent, _ = await clock.stop()
        return Crowd(users, spent, (gateway.memory_info().rss - before) / 1024)


@asynccontextmanager
async def _user(url: str, name: str) -> AsyncIterator[ClientConnection]:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "register", "userId": name}))
        answer = json.loads(await socket.recv())
        if answer["type"] != "register":
            raise RuntimeError(answer["message"])
        yield socket
