"""What idle connections weigh: a real gateway process fills up, the operating system is asked."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psutil
from websockets.asyncio.client import connect

from wsgateway.bench.limits import raise_files
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop

_PATIENCE_S = 30.0
_AT_ONCE = 16  # connections being opened
_FILES = 4_096


@dataclass(frozen=True, slots=True)
class Weight:
    """A gateway process with connections.

    Args:
        users: connected and registered, and silent.
        rss_kib: its resident memory, KiB.
    """

    users: int
    rss_kib: float


def fill(cluster: Cluster, gateway_id: str, users: Sequence[int]) -> list[Weight]:
    """Connect users to a gateway process in steps, weigh it at each, let them go.

    Args:
        cluster: gateways as processes.
        gateway_id: which one; it should be fresh.
        users: how many there shall be at each step, growing.
    """
    raise_files(_FILES)
    return shared_loop().run(_fill(cluster, gateway_id, users), _PATIENCE_S)


def each_kib(weights: Sequence[Weight]) -> float:
    """Return the memory of one connection: from the first look to the last."""
    first, last = weights[0], weights[-1]
    return (last.rss_kib - first.rss_kib) / (last.users - first.users)


async def _fill(cluster: Cluster, gateway_id: str, users: Sequence[int]) -> list[Weight]:
    gateway = psutil.Process(cluster.processes[gateway_id].pid)
    gate, weights = asyncio.Semaphore(_AT_ONCE), list[Weight]()
    async with AsyncExitStack() as sockets:

        async def come(name: str) -> None:
            async with gate:
                socket = await sockets.enter_async_context(
                    connect(cluster.url(gateway_id), compression=None, proxy=None)
                )
                await socket.send(json.dumps({"type": "register", "userId": name}))
                answer = json.loads(await socket.recv())
                if answer["type"] != "register":
                    raise RuntimeError(answer["message"])

        here = 0
        for wanted in users:
            async with asyncio.TaskGroup() as coming:
                for number in range(here, wanted):
                    coming.create_task(come(f"idle-{number}"))
            here = wanted
            weights.append(Weight(here, gateway.memory_info().rss / 1024))
    return weights
