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
from websockets.frames import Frame, Opcode

from wsgateway.bench.limits import raise_files
from wsgateway.config import Config
from wsgateway.lab.capacity import Costs, Crowd, Run, Spent, costs
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop
from wsgateway.presence.base import presence_key

__all__ = ["SHAPES", "crowd", "messages", "raise_files", "survey"]

_PATIENCE_S = 30.0
_CONTENT = "x" * 100
_EACH = 8  # recipients on each gateway
_AT_ONCE = 16  # connections being opened
_ROUNDS = 2
_LOOK_S = 0.05
_TTL_S = Config(gateway_id="lab").presence_ttl_s

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
    return runs, costs(runs, came)


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


def crowd(cluster: Cluster, gateway_id: str, *, users: int) -> Crowd:
    """Let `users` connect to a gateway, register, send heartbeats, and leave again."""
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
            # Why: in one write. With one each, the kernel decides how many are read together, and
            # on a busy machine what is measured is the scheduler.
            # 原因：一次写出。若逐条写，一次读到几条要看内核，机器一忙，量到的就是调度器。
            writer.transport.write(b"".join(map(_frame, burst)))
            await _take(writer, len(burst))


def _frame(to: str) -> bytes:
    message = {"type": "message", "to": to, "content": _CONTENT, "id": f"m{next(_numbers)}"}
    return Frame(Opcode.TEXT, json.dumps(message).encode()).serialize(mask=True)


async def _take(socket: ClientConnection, frames: int) -> None:
    for _ in range(frames):
        frame = json.loads(await socket.recv())
        if frame["type"] == "error" or frame.get("status", "routed") != "routed":
            raise RuntimeError(f"a message did not cross: {frame}")


async def _come(cluster: Cluster, gateway_id: str, users: int) -> Crowd:
    gateway = psutil.Process(cluster.processes[gateway_id].pid)
    async with AsyncExitStack() as sockets:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def come(name: str) -> ClientConnection:
            async with gate:
                return await sockets.enter_async_context(_user(cluster.url(gateway_id), name))

        async def all_come(names: Sequence[str]) -> dict[str, ClientConnection]:
            async with asyncio.TaskGroup() as coming:
                tasks = {name: coming.create_task(come(name)) for name in names}
            return {name: task.result() for name, task in tasks.items()}

        await all_come([f"early-{n}" for n in range(_AT_ONCE)])  # warm up
        before = gateway.memory_info().rss
        clock = _Clock(cluster, gateway_id, [])
        await clock.start()
        here = await all_come([f"crowd-{n}" for n in range(users)])
        came, _ = await clock.stop()
        memory_kib = (gateway.memory_info().rss - before) / 1024
        await clock.start()
        for _ in range(_ROUNDS):
            await _ping(cluster, here)
        pinged, _ = await clock.stop()
    return Crowd(users, came, memory_kib, _ROUNDS * users, pinged)


async def _ping(cluster: Cluster, users: Mapping[str, ClientConnection]) -> None:
    """Send one heartbeat each, one after the other; return when presence is refreshed."""
    loop = asyncio.get_running_loop()
    for name, socket in users.items():
        key, began_s = presence_key("", name), loop.time()
        await socket.send('{"type":"ping"}')
        await socket.recv()
    # Why: refreshes wait for each other and leave together, the last user's last. It is done once
    # its record is younger than the ping.
    # 原因：刷新会互相等一等再一起发出，最后一个用户的排在最后。
    # 它的记录比那次 ping 还新，就是刷新完了。
    while await cluster.command("PTTL", key) < 1e3 * (_TTL_S - (loop.time() - began_s)):  # noqa: ASYNC110 - Redis calls nobody
        await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def _user(url: str, name: str) -> AsyncIterator[ClientConnection]:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "register", "userId": name}))
        answer = json.loads(await socket.recv())
        if answer["type"] != "register":
            raise RuntimeError(answer["message"])
        yield socket
