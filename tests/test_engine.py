"""The connection engine under attack: what a client leaves behind, and how it may end."""

import asyncio
import base64
import gc
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil
import pytest
import uvloop
from raw import serves, until
from redis.asyncio import Redis
from users import User
from websockets.server import ServerProtocol

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.envelope import Carried
from wsgateway.gateway import Gateway
from wsgateway.incoming import Incoming
from wsgateway.lane import Lane, LaneTable
from wsgateway.outbox import Outbox
from wsgateway.process import GatewayProcess
from wsgateway.turns import AT_ONCE_BYTES, SLICE_BYTES
from wsgateway.websocket import WebSocket

# Newer pytest-asyncio prefers a hook to the fixture, which older ones do not have.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy")

Start = Callable[..., Any]
LOOPS: dict[str, Any] = {
    "asyncio": asyncio.DefaultEventLoopPolicy,
    "uvloop": uvloop.EventLoopPolicy,
}
OF_A_CLIENT = (WebSocket, ServerProtocol, Incoming, Connection, Outbox)
CLOSE = b"\x88\x82" + bytes(4) + b"\x03\xe8"


@pytest.fixture(params=LOOPS)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Each test runs in a kernel's loop and in that of a gateway process."""
    policy: asyncio.AbstractEventLoopPolicy = LOOPS[request.param]()
    return policy


@pytest.fixture
async def start(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Start]:
    """Start gateways with settings of the test's own."""
    async with AsyncExitStack() as stack:

        async def start(gateway_id: str = "g1", **settings: Any) -> Gateway:
            config = Config(
                gateway_id=gateway_id,
                port=0,
                redis=redis_server.url,
                key_prefix=key_prefix,
                **settings,
            )
            return await stack.enter_async_context(Gateway(config))

        yield start


def frame(**fields: Any) -> bytes:
    """A text frame as a client sends it; its mask is zeros."""
    text = json.dumps(fields).encode()
    length = (
        bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack("!H", len(text))
    )
    return b"\x81" + length + bytes(4) + text


def messages(count: int, to: str = "bob") -> bytes:
    return b"".join(frame(type="message", to=to, content=str(n)) for n in range(count))


class Tcp:
    """A client that is only a TCP connection: it can say anything, and end in any way."""

    def __init__(self, gateway: Gateway | GatewayProcess, user: str | None = None) -> None:
        self._port = urlsplit(gateway.url).port
        self._user = user

    async def __aenter__(self) -> "Tcp":
        self._reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        key = base64.b64encode(bytes(16))
        self.writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await self._reader.readuntil(b"\r\n\r\n")
        if self._user is not None:
            self.writer.write(frame(type="register", userId=self._user))
            assert b'"register"' in await self._reader.read(1000)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """End it so that the other side gets ECONNRESET."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def rest(self) -> bytes:
        """All that comes until the gateway ends it."""
        async with asyncio.timeout(30):
            return await self._reader.read()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that may be paused."""
    with RedisServer() as server:
        yield server


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def alive() -> Counter[str]:
    return Counter(type(one).__name__ for one in gc.get_objects() if type(one) in OF_A_CLIENT)


async def say_goodbye(tcp: Tcp) -> None:
    tcp.writer.write(CLOSE)
    await tcp.rest()


async def vanish(tcp: Tcp) -> None:
    tcp.reset()


async def half_close(tcp: Tcp) -> None:
    tcp.writer.write_eof()
    await tcp.rest()


async def say_no_utf_8(tcp: Tcp) -> None:
    tcp.writer.write(b"\x81\x81" + bytes(4) + b"\xff")
    await tcp.rest()


async def break_the_protocol(tcp: Tcp) -> None:
    tcp.writer.write(b"\xff\xff\xff\xff")
    await tcp.rest()


async def be_binary(tcp: Tcp) -> None:
    tcp.writer.write(b"\x82\x81" + bytes(4) + b"x")
    await tcp.rest()


async def leave_amid_messages(tcp: Tcp) -> None:
    tcp.writer.write(messages(200, to="nobody") + CLOSE)
    await tcp.rest()


ENDINGS = [
    say_goodbye,
    vanish,
    half_close,
    say_no_utf_8,
    break_the_protocol,
    be_binary,
    leave_amid_messages,
]


@pytest.mark.parametrize("end", ENDINGS)
async def test_nothing_of_a_client_waits_for_the_cycle_collector(start: Start, end: Any) -> None:
    gateway = await start(close_timeout_s=0.2)
    async with Tcp(gateway, "warm") as tcp:
        await end(tcp)
    await until(lambda: not gateway.sessions.connections)
    with no_collector():
        before = alive()
        for n in range(20):
            async with Tcp(gateway, f"user-{n}") as tcp:
                await end(tcp)
        await until(lambda: not gateway.sessions.connections)
        await until(lambda: alive() == before)
    assert await serves(gateway)


async def test_nor_of_one_that_never_registered(start: Start) -> None:
    gateway = await start(register_timeout_s=0.2, close_timeout_s=0.1)
    with no_collector():
        before = alive()
        for _ in range(5):
            async with Tcp(gateway) as tcp:
                await tcp.rest()
        await until(lambda: not gateway.sessions.connections)
        await until(lambda: alive() == before)


@pytest.mark.parametrize("bob_is_at", ["g1", "g2"])
@pytest.mark.parametrize("last", [CLOSE, b""], ids=["close frame", "end of stream"])
async def test_what_was_said_before_the_end_arrives_once_and_in_order(
    start: Start, bob_is_at: str, last: bytes
) -> None:
    """Registering, far more messages than the window holds, and the end: in one segment."""
    gateways = {name: await start(name, window=4) for name in ("g1", "g2")}
    async with User(gateways[bob_is_at].url, "bob") as bob:
        for n in range(5):
            async with Tcp(gateways["g1"]) as alice:
                register = frame(type="register", userId=f"alice-{n}")
                alice.writer.write(register + messages(200) + last)
                alice.writer.write_eof()
                await until(lambda n=n: len(bob.messages) >= 200 * (n + 1))
        assert bob.contents == [str(n) for n in range(200)] * 5
    await until(lambda: not gateways["g1"].hub and not gateways["g1"].sessions.connections)


async def test_lost_while_registering_it_leaves_neither_a_user_nor_a_record(
    start: Start, redis_server: RedisServer, key_prefix: str
) -> None:
    gateway = await start()
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        for n in range(50):
            async with Tcp(gateway) as alice:
                alice.writer.write(frame(type="register", userId=f"alice-{n}"))
                if n % 2:
                    await until(lambda: gateway.sessions.connections)
                alice.reset()
        await until(lambda: not gateway.sessions.connections)
        assert not len(gateway.hub)
        assert not await redis.keys(f"{key_prefix}presence:*")


async def test_lost_while_redis_does_not_answer(own_redis: RedisServer, key_prefix: str) -> None:
    config = Config(
        gateway_id="g1",
        port=0,
        redis=own_redis.url,
        key_prefix=key_prefix,
        redis_timeout_s=0.5,
        register_timeout_s=0.8,
        close_timeout_s=0.1,
        lease_ttl_s=30,
    )
    async with Gateway(config) as gateway:
        async with Tcp(gateway, "warm"):
            own_redis.pause()
            try:
                for n in range(20):
                    async with Tcp(gateway) as alice:
                        alice.writer.write(frame(type="register", userId=f"alice-{n}"))
                        if n % 2:
                            alice.writer.write(messages(10) + CLOSE)
                            await alice.rest()
                await until(lambda: len(gateway.sessions.connections) == 1)
                assert len(gateway.hub) == 1
            finally:
                own_redis.resume()
        assert await serves(gateway)


async def test_a_crowd_that_leaves_while_the_gateway_sends_it_away(start: Start) -> None:
    gateway = await start(drain_s=5.0)
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(Tcp(gateway, f"user-{n}")) for n in range(120)]
        closing = asyncio.create_task(gateway.aclose())
        await until(lambda: gateway.draining)
        for n, tcp in enumerate(crowd):
            if n % 3 == 0:
                tcp.reset()
            elif n % 3 == 1:
                tcp.writer.write(messages(100, to="user-0") + CLOSE)
            else:
                tcp.writer.write_eof()
        await closing
    assert not gateway.sessions.connections
    assert not len(gateway.hub)
    assert sum(gateway.counts.closed.values()) == 120


async def test_a_bug_in_one_message_ends_that_connection_only(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when it comes while the window is full, so that the connection is paused."""
    gateway = await start(window=1, close_timeout_s=0.2)
    send = gateway.sessions.delivery.send

    def fail(connection: Any, sender: str, message: Any) -> None:
        if message.content == "bug":
            raise RuntimeError("a bug")
        send(connection, sender, message)

    monkeypatch.setattr(gateway.sessions.delivery, "send", fail)
    async with Tcp(gateway, "alice") as alice:
        alice.writer.write(frame(type="message", to="bob", content="bug"))
        assert b"\x03\xf3" in await alice.rest()  # 1011
    await until(lambda: not gateway.sessions.connections)
    assert await serves(gateway)


def test_a_new_lane_costs_the_same_when_all_others_are_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a table that had to grow shrinks again."""
    looks = 0

    def idle(lane: Lane) -> bool:
        nonlocal looks
        looks += 1
        return not lane.in_flight

    def make(n: int) -> Lane:
        return table.make(Carried(f"user-{n}", "alice", "g1", msgspec.Raw(b"{}")))

    monkeypatch.setattr(Lane, "idle", property(idle))
    table = LaneTable(100)
    for n in range(200):
        make(n).in_flight = 1
    assert len(table) == 200
    assert looks <= 200
    for n in range(200):
        make(n).in_flight = 0
    for n in range(200, 400):
        make(n)
    assert len(table) == 100


async def test_greedy_clients_share_one_slice_of_each_turn_of_the_loop(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, however much is in their sockets, however soon it is answered."""
    greedy, each = 5, 2_000
    gateway = await start(window=each)
    loop, turn = asyncio.get_running_loop(), 0
    heard: Counter[int] = Counter()
    unread = 0
    send = gateway.sessions.delivery.send

    def note(connection: Any, sender: str, message: Any) -> None:
        heard[turn] += 1
        send(connection, sender, message)

    def count_turns() -> None:
        nonlocal turn, unread
        turn += 1
        unread = max(unread, *(ws._codec.unread for ws in gateway._listener._sockets), 0)
        if heard.total() < greedy * each:
            loop.call_soon(count_turns)

    monkeypatch.setattr(gateway.sessions.delivery, "send", note)
    async with User(gateway.url, "bob") as bob, AsyncExitStack() as stack:
        count_turns()
        for n in range(greedy):
            client = await stack.enter_async_context(Tcp(gateway, f"greedy-{n}"))
            client.writer.write(messages(each))
        await until(lambda: len(bob.messages) == greedy * each)
        for n in range(greedy):
            mine = [m["content"] for m in bob.messages if m["from"] == f"greedy-{n}"]
            assert mine == [str(m) for m in range(each)]
    slice_ = SLICE_BYTES // len(messages(1)) + 1
    sliced = sum(count for count in heard.values() if count <= slice_)
    assert sliced > 0.8 * greedy * each  # the rest is what each of them said first
    assert 0 < unread < 2 * AT_ONCE_BYTES, "the kernel keeps what cannot be heard yet"


async def test_a_flood_leaves_a_gateway_part_of_its_core(
    redis_server: RedisServer, key_prefix: str
) -> None:
    chunk = messages(5_000, to="nobody")
    flags = ("--key-prefix", key_prefix)

    async def flood(client: Tcp) -> None:
        while True:
            client.writer.write(chunk)
            await client.writer.drain()

    async with GatewayProcess("g1", redis=redis_server.url, flags=flags) as gateway:
        process = psutil.Process(gateway.pid)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Tcp(gateway, f"g-{n}")) for n in range(5)]
            flooding = [asyncio.create_task(flood(client)) for client in clients]
            began_s, used_s = time.monotonic(), sum(process.cpu_times()[:2])
            while sum(process.cpu_times()[:2]) < used_s + 1.0:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            busy = 1.0 / (time.monotonic() - began_s)
            assert not any(one.done() for one in flooding)
            for one in flooding:
                one.cancel()
            await asyncio.gather(*flooding, return_exceptions=True)
        assert busy < 0.7


async def test_bursts_that_come_together_share_a_turn(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start(window=1_000)
    loop, turn = asyncio.get_running_loop(), 0
    heard: Counter[int] = Counter()
    send = gateway.sessions.delivery.send

    def note(connection: Any, sender: str, message: Any) -> None:
        heard[turn] += len(messages(1))
        send(connection, sender, message)

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        if heard.total() < len(burst) * len(clients):
            loop.call_soon(count_turns)

    monkeypatch.setattr(gateway.sessions.delivery, "send", note)
    burst = messages(AT_ONCE_BYTES // len(messages(1)) - 10)
    async with User(gateway.url, "bob"), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Tcp(gateway, f"from-{n}")) for n in range(20)]
        for client in clients:
            client.writer.write(burst)
        count_turns()
        await until(lambda: heard.total() >= 0.9 * len(burst) * len(clients))
    assert max(heard.values()) < 3 * AT_ONCE_BYTES
