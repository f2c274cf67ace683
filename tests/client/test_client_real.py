"""The client against real gateway processes on a real Redis: killed, paused, drained."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from gateways import GatewayProcess, gateway_process

from wsgateway.brokers import RedisServer
from wsgateway.client import (
    Client,
    Connected,
    Disconnected,
    Event,
    Options,
    Replaced,
    SendRefused,
    Status,
)

# Patient deadlines: none of them is what a test waits for when all is well.
OPTIONS = Options(open_timeout_s=2.0, answer_timeout_s=2.0, backoff_base_s=0.05, backoff_cap_s=0.5)
Pair = tuple[GatewayProcess, GatewayProcess]


@pytest.fixture
async def pair(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        first, second = await asyncio.gather(
            *(
                stack.enter_async_context(gateway_process(name, redis_server.url, key_prefix))
                for name in ("g1", "g2")
            )
        )
        yield first, second


def client(user: str, *gateways: GatewayProcess, ping_s: float | None = None) -> Client:
    return Client(user, [one.url for one in gateways], ping_s=ping_s, options=OPTIONS)


async def until(events: "asyncio.Queue[Event]", kind: type[Event]) -> Event:
    while not isinstance(event := await events.get(), kind):
        pass
    return event


async def test_a_message_crosses(pair: Pair) -> None:
    g1, g2 = pair
    async with client("alice", g1) as alice, client("bob", g2) as bob:
        assert alice.gateway_id != bob.gateway_id
        assert await alice.send("bob", "hi 你好", trace=True) is Status.ROUTED
        message = await anext(bob)
        assert (message.from_user, message.content) == ("alice", "hi 你好")
        assert message.trace is not None
        stages = [hop.stage for hop in message.trace]
        assert stages == ["received", "resolved", "arrived", "outbox"]
        assert await alice.send("nobody", "hi") is Status.OFFLINE
        with pytest.raises(SendRefused, match="to_self"):
            await alice.send("alice", "hi")
        with pytest.raises(SendRefused, match="empty_content"):
            await alice.send("bob", "")
        with pytest.raises(SendRefused, match="bad_user_id"):
            await alice.send("b*b", "hi")
    async with client("carol", g2) as carol, client("dan", g2):
        assert await carol.send("dan", "same gateway") is Status.DELIVERED
        assert await carol.send("alice", "she left") is Status.OFFLINE


async def test_replaced_on_another_gateway(pair: Pair) -> None:
    g1, g2 = pair
    async with client("alice", g1) as first, client("alice", g2) as second:
        with pytest.raises(Replaced):
            await anext(first)
        with pytest.raises(Replaced):
            await first.send("bob", "hi")
        assert second.connected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_sender_survives_its_gateway(pair: Pair, number: signal.Signals) -> None:
    """Everything arrives once and in order, although the gateway dies amid a window of sends."""
    total, before = 400, 100
    g1, g2 = pair
    async with client("alice", g1, g2) as alice, client("bob", g2) as bob:
        sending = [
            asyncio.create_task(alice.send("bob", str(n), timeout_s=60.0)) for n in range(total)
        ]
        received = [(await anext(bob)).content for _ in range(before)]
        g1.signal(number)
        received += [(await anext(bob)).content for _ in range(total - before)]
        assert received == [str(n) for n in range(total)]
        statuses = await asyncio.gather(*sending)
        assert set(statuses) <= {Status.ROUTED, Status.DELIVERED}
        assert statuses[-1] is Status.DELIVERED, "the last were sent from bob's own gateway"
        # And nothing twice: the next message is the next one.
        await alice.send("bob", "end")
        assert (await anext(bob)).content == "end"
    if number is signal.SIGTERM:
        assert await g1.wait() == 0


async def test_a_receiver_moves_when_its_gateway_dies(pair: Pair) -> None:
    g1, g2 = pair
    events: asyncio.Queue[Event] = asyncio.Queue()
    bob = Client("bob", [g2.url, g1.url], on_event=events.put_nowait, options=OPTIONS)
    async with client("alice", g1) as alice, bob:
        await until(events, Connected)
        await alice.send("bob", "before")
        assert (await anext(bob)).content == "before"
        g2.signal(signal.SIGKILL)
        lost = await until(events, Disconnected)
        assert isinstance(lost, Disconnected)
        assert lost.code == 1006
        moved = await until(events, Connected)
        assert moved == Connected(str(alice.gateway_id), g1.url)
        assert await alice.send("bob", "after") is Status.DELIVERED
        assert (await anext(bob)).content == "after"


async def test_a_drained_gateway_says_when_to_come_back(pair: Pair) -> None:
    g1, g2 = pair
    events: asyncio.Queue[Event] = asyncio.Queue()
    async with Client("alice", [g1.url, g2.url], on_event=events.put_nowait, options=OPTIONS):
        g1.signal(signal.SIGTERM)
        lost = await until(events, Disconnected)
        assert isinstance(lost, Disconnected)
        assert lost.code == 1012
        assert lost.reason.startswith("reconnectMs=")
        moved = await until(events, Connected)
        assert isinstance(moved, Connected)
        assert moved.url == g2.url
    assert await g1.wait() == 0


async def test_a_paused_gateway_is_left_with_what_was_on_its_way(pair: Pair) -> None:
    g1, g2 = pair
    async with client("alice", g1, g2, ping_s=0.2) as alice, client("bob", g2) as bob:
        g1.signal(signal.SIGSTOP)
        assert await alice.send("bob", "hi", timeout_s=60.0) is Status.DELIVERED
        assert (await anext(bob)).content == "hi"
        assert alice.gateway_id == bob.gateway_id
        g1.signal(signal.SIGCONT)
        # The frame g1 finds in its socket buffer now is a repeat: bob sees nothing of it.
        assert await alice.send("bob", "next") is Status.DELIVERED
        assert (await anext(bob)).content == "next"
