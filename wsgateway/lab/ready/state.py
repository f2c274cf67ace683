"""What is running now, asked of what is running; and a conversation while a cell is busy."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from wsgateway.brokers.find import listens
from wsgateway.client import Client, Status
from wsgateway.errors import WsGatewayError
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.user import User

_EVERY_S = 0.02
_AROUND_S = 0.3


@dataclass(frozen=True, slots=True)
class State:
    """A cluster as it is.

    Args:
        kernel: process id of this kernel.
        gateways: gateway -> process id; that of the kernel for one that lives in it.
        connections: gateway -> how many it says it has.
        homes: user -> the gateway presence names, or None.
        broker: what the Redis calls itself.
    """

    kernel: int
    gateways: dict[str, int]
    connections: dict[str, int]
    homes: dict[str, str | None]
    broker: str


def look(cluster: Cluster, *users: str) -> State:
    """Ask gateways, presence and Redis what there is.

    Args:
        cluster: a running one.
        users: whom to ask presence for.
    """
    kernel = os.getpid()
    gateways = dict.fromkeys(cluster.gateways, kernel)
    gateways |= {name: process.pid for name, process in cluster.processes.items()}
    return State(
        kernel,
        gateways,
        {name: cluster.stats(name)["connections"] for name in gateways},
        {user: cluster.redis("HGET", f"presence:{user}", "gatewayId") for user in users},
        cluster.redis_broker,
    )


def answers(url: str) -> bool:
    """Whether somebody listens at the address of a gateway."""
    return shared_loop().run(listens(int(url.rpartition(":")[2].partition("/")[0])))


@dataclass(frozen=True, slots=True)
class Chat:
    """Messages that arrived around a busy cell. Seconds since the beginning.

    Args:
        arrived_s: when each one arrived.
        since_s, until_s: when the cell was busy.
    """

    arrived_s: list[float]
    since_s: float
    until_s: float

    @property
    def meanwhile(self) -> int:
        """How many arrived while the cell was busy."""
        return sum(self.since_s < at < self.until_s for at in self.arrived_s)


def chat_while(sender: User, receiver: User, busy: Callable[[], object]) -> Chat:
    """Have one user write to another all the time, and keep this cell busy for a while.

    Args:
        sender, receiver: users of gateways in this kernel.
        busy: called in this cell, after a moment; then it goes on for another moment.
    """
    loop = shared_loop()
    began, arrived = monotonic(), list[float]()

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(_chat(sender.client, receiver.client, arrived))

    talking = loop.run(begin())
    try:
        loop.run(asyncio.sleep(_AROUND_S))
        since = monotonic()
        busy()
        until = monotonic()
        loop.run(asyncio.sleep(_AROUND_S))
    finally:
        loop.run(_end(talking))
    return Chat([at - began for at in arrived], since - began, until - began)


async def _chat(sender: Client, receiver: Client, arrived: list[float]) -> None:
    while True:
        status = await sender.send(receiver.user, "still there?")
        if status in (Status.OFFLINE, Status.UNKNOWN):  # no use to wait for it
            raise WsGatewayError(f"the conversation ended: {status}")
        await anext(receiver)
        arrived.append(monotonic())
        await asyncio.sleep(_EVERY_S)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    results: Sequence[object] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(results[0], Exception):  # not the cancellation, which is no Exception
        raise results[0]
