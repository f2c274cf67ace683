"""What makes it fast, counted: tasks, writes, publishes and lookups per 1,000 messages."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from raw import until
from users import Cluster, User
from websockets.frames import Frame, Opcode

import wsgateway
from wsgateway.brokers import RedisServer
from wsgateway.gateway import Gateway
from wsgateway.websocket import WebSocket

PACKAGE = str(Path(wsgateway.__file__).parent)
# 32 in flight, as in the standard load of the benchmark; well below the window of 64.
BURST = 32
MESSAGES = 1_024


@pytest.fixture
async def cluster(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Cluster]:
    async with Cluster(redis_server, key_prefix) as made:
        yield made


def burst(to: str, numbers: Iterable[int]) -> bytes:
    """Return messages as the bytes of one segment."""
    frames = ({"type": "message", "to": to, "content": "x", "id": f"m{n}"} for n in numbers)
    return b"".join(
        Frame(Opcode.TEXT, json.dumps(one).encode()).serialize(mask=True) for one in frames
    )


async def send_bursts(alice: User, bob: User) -> None:
    """Send `MESSAGES` to bob, a burst at a time; the next when all is delivered and acked."""
    assert alice._ws is not None
    for start in range(0, MESSAGES, BURST):
        alice._ws.transport.write(burst("bob", range(start, start + BURST)))
        done = start + BURST
        await until(lambda done=done: len(bob.messages) == alice.ack_count - 1 == done)


class Tasks:
    """Counts the tasks that this package makes, by name of their coroutine."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

    def __call__(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        code = getattr(work, "cr_code", None)
        if code is not None and code.co_filename.startswith(PACKAGE):
            self.made[work.__qualname__] += 1
        return asyncio.Task(work, loop=loop, **options)


async def test_a_thousand_messages_cost_no_task_and_few_round_trips(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    g1, g2 = await cluster.start("g1", "g2")
    async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
        await alice.ask("bob", "the route is cached from here on", "first")
        await until(lambda: bob.messages)
        bob.messages.clear()
        before, writes = counted(g1), Counter[str]()
        write = WebSocket.write

        def count(ws: WebSocket, frames: list[bytes]) -> bool:
            writes.update(calls=1, frames=len(frames))
            return write(ws, frames)

        monkeypatch.setattr(WebSocket, "write", count)
        loop, tasks = asyncio.get_running_loop(), Tasks()
        loop.set_task_factory(tasks)
        try:
            await send_bursts(alice, bob)
        finally:
            loop.set_task_factory(None)
        after = counted(g1)
    assert not tasks.made
    # The route is trusted for 5 seconds, so a slow machine asks once or twice more.
    assert after["lookups"] - before["lookups"] <= MESSAGES / 100
    assert after["presence round trips"] - before["presence round trips"] <= MESSAGES / 100
    # Each burst is read at once, unless TCP delivers it in parts.
    assert after["envelopes"] - before["envelopes"] == MESSAGES
    assert after["publishes"] - before["publishes"] <= MESSAGES / BURST * 2
    # Deliveries and acks: as many frames as messages each, in a few writes per burst.
    assert writes["frames"] == 2 * MESSAGES
    assert writes["calls"] <= MESSAGES / BURST * 6


def counted(gateway: Gateway) -> dict[str, int]:
    """Return what has been asked of Redis so far."""
    router = gateway.stats()["router"]
    return {
        "lookups": gateway.presence.operations["lookup"],
        "presence round trips": gateway.presence.round_trips,
        "publishes": router["publishes"],
        "envelopes": router["envelopes"],
    }
