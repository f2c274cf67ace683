"""What the client makes of a gateway that is killed again and again: nothing of it is lost here."""

import asyncio
import random
import sys
from pathlib import Path

import pytest
from scripted_gateway import QUICK, Scripted, Socket, joined

from wsgateway.client import Client, Disconnected, Event, Replaced, Status
from wsgateway.errors import CloseCode

STREAM = Path(__file__).with_name("stream_gateway.py")
TOTAL = 2_000
UNREAD = 40


class Stream:
    """`stream_gateway.py`, to be killed and started again at the same port."""

    def __init__(self, port: int, log: Path) -> None:
        self._arguments = (str(STREAM), str(port), str(log), str(TOTAL))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@pytest.mark.parametrize("talking", [False, True])
async def test_killed_five_times_amid_a_stream(
    tmp_path: Path, unused_tcp_port: int, talking: bool
) -> None:
    """Each message once and in order, whether or not the application writes all the while."""
    events: list[Event] = []
    received: list[int] = []
    stream = Stream(unused_tcp_port, tmp_path / "log")
    marks = iter(sorted(random.Random(7).sample(range(100, TOTAL - 100), 5)))
    url = f"ws://127.0.0.1:{unused_tcp_port}/ws"
    client = Client("alice", url, on_event=events.append, options=QUICK)

    async def restart() -> None:
        await stream.kill()
        await stream.start()

    async def talk() -> None:
        while True:
            assert await client.send("bob", "x" * 200, timeout_s=60.0) is Status.DELIVERED

    try:
        await stream.start()
        async with client, asyncio.TaskGroup() as tasks:
            talks = [tasks.create_task(talk()) for _ in range(8 if talking else 0)]
            mark = next(marks)
            async for message in client:
                received.append(int(message.content))
                if received[-1] >= TOTAL - 1:
                    break
                if received[-1] >= mark:
                    await restart()
                    mark = next(marks, TOTAL)
            for task in talks:
                task.cancel()
    finally:
        await stream.kill()
    assert received == list(range(TOTAL))
    assert client.duplicates > 0, "the gateway repeated nothing: this tested nothing"
    assert any(isinstance(event, Disconnected) for event in events)


async def fill(socket: Socket) -> None:
    """Write more than the inbox and the WebSocket library take: the rest lies in the kernel."""
    for n in range(UNREAD):
        await socket.say(type="message", content=f"{n:10000}", id=f"{n}", **{"from": "bob"})


async def test_what_lies_in_the_socket_of_a_dead_gateway_is_read(gateway: Scripted) -> None:
    """The inbox is full, and the client writes (pings) to a gateway that is gone."""
    async with joined(gateway, inbox=4, heartbeat_ms=20) as (client, socket):
        await fill(socket)
        socket.cut()
        again = await (await gateway.accept()).registered()
        await again.say(type="message", content="after", **{"from": "bob"})
        received = [(await anext(client)).content.strip() for _ in range(UNREAD + 1)]
    assert received == [*map(str, range(UNREAD)), "after"]


async def test_replaced_is_heard_behind_unread_messages(gateway: Scripted) -> None:
    """Else this client would come back and throw out its own successor."""
    async with joined(gateway, inbox=4, heartbeat_ms=20) as (client, socket):
        await fill(socket)
        await socket.close(CloseCode.REPLACED)
        with pytest.raises(Replaced):
            await client.send("bob", "hi", timeout_s=60.0)
        received = [(await anext(client)).content.strip() for _ in range(UNREAD)]
        with pytest.raises(Replaced):
            await anext(client)
    assert received == [*map(str, range(UNREAD))]
