"""One socket: deadlines, the bounded outbox, and what becomes of every frame in it."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from raw import close_code, hear, opened, say, serves, session, until
from websockets.exceptions import ConnectionClosed

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.errors import CloseCode
from wsgateway.gateway import Gateway
from wsgateway.protocol import Status

Start = Callable[..., Any]


@pytest.fixture
async def start(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Start]:
    """Start gateways with settings of the test's own."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Gateway:
            config = Config(
                gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix, **settings
            )
            return await stack.enter_async_context(Gateway(config))

        yield start


async def test_a_socket_that_never_registers_is_closed(start: Start) -> None:
    gateway = await start(register_timeout_s=0.2)
    async with opened(gateway) as silent, opened(gateway) as talkative:
        await say(talkative, type="ping")
        assert (await hear(talkative))["code"] == "not_registered"
        assert await close_code(silent) == CloseCode.REGISTER_TIMEOUT
        assert await close_code(talkative) == CloseCode.REGISTER_TIMEOUT


async def test_registering_lifts_the_deadline(start: Start) -> None:
    gateway = await start(register_timeout_s=0.2)
    async with session(gateway, "alice") as alice, opened(gateway) as silent:
        assert await close_code(silent) == CloseCode.REGISTER_TIMEOUT
        await say(alice, type="ping")
        assert await hear(alice) == {"type": "pong"}


async def test_binary_is_refused(start: Start) -> None:
    gateway = await start()
    async with session(gateway, "alice") as alice:
        await alice.send(b'{"type":"ping"}')
        assert await close_code(alice) == CloseCode.BINARY
    assert await serves(gateway)


async def test_a_half_open_socket_is_counted_under_the_reason_we_closed_it(start: Start) -> None:
    gateway = await start(
        ping_s=0.1, heartbeat_timeout_s=0.3, sweep_s=0.1, presence_ttl_s=0.3, close_timeout_s=0.1
    )
    async with session(gateway, "alice", close_timeout=0.1) as alice:
        alice.transport.pause_reading()  # nobody is there to answer the close
        await until(lambda: gateway.stats()["closed"])
        assert gateway.stats()["closed"] == {"4002": 1}
        assert gateway.stats()["users"] == 0


async def test_a_slow_reader_is_closed_and_every_message_has_one_fate(start: Start) -> None:
    gateway = await start(outbox_bytes=256 << 10)
    content, fates = "x" * 50_000, Counter[str]()
    narrow = socket.create_connection(("127.0.0.1", gateway.port))
    async with (
        session(gateway, "alice") as alice,
        session(gateway, "bob", sock=narrow, max_queue=1, close_timeout=1) as bob,
        session(gateway, "carol") as carol,
        session(gateway, "dave") as dave,
    ):

        async def flood() -> None:
            for n in range(300):
                await say(alice, type="message", to="bob", content=content, id=f"m{n}")

        flooding = asyncio.create_task(flood())
        while not fates["offline"]:
            fates[(await hear(alice))["status"]] += 1
            await say(carol, type="message", to="dave", content="calm")
            assert (await hear(dave))["content"] == "calm"
        read = 0
        with suppress(ConnectionClosed):
            while await hear(bob):
                read += 1
        assert bob.close_code == CloseCode.SLOW_CONSUMER
        while fates.total() < 300:
            fates[(await hear(alice))["status"]] += 1
        await flooding
    assert set(fates) <= {"delivered", "offline", "unknown"}
    assert fates["unknown"] <= 1
    assert fates["delivered"] <= read <= fates["delivered"] + fates["unknown"]


async def test_a_reader_that_stalls_but_pings_does_not_stop_its_senders(start: Start) -> None:
    gateway = await start(window=4, stall_s=0.5, close_timeout_s=0.2)
    async with (
        session(gateway, "alice", close_timeout=0.1) as alice,
        session(gateway, "bob", close_timeout=0.1) as bob,
    ):
        bob.transport.pause_reading()

        async def keep_pinging() -> None:
            with suppress(ConnectionClosed):
                while True:
                    await say(bob, type="ping")
                    await asyncio.sleep(0.1)

        pinging = asyncio.create_task(keep_pinging())
        flooding = asyncio.create_task(flood_until_refused(alice, "x" * 60_000))
        async with asyncio.timeout(20):
            while (await hear(alice)).get("status") == "delivered":
                pass
        for task in (flooding, pinging):
            task.cancel()
        await asyncio.wait([flooding, pinging])
    assert gateway.stats()["closed"].get("4004") == 1


async def flood_until_refused(alice: Any, content: str) -> None:
    n = 0
    while True:
        await say(alice, type="message", to="bob", content=content, id=f"m{n}")
        n += 1


async def test_control_frames_nobody_reads_are_bounded_too(start: Start) -> None:
    """Every ping of the WebSocket protocol is answered by the library, past our box."""
    gateway = await start()
    async with session(gateway, "alice", close_timeout=0.1) as alice:
        alice.transport.pause_reading()
        ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + b"p" * 125
        (connection,) = gateway.sessions.connections.values()
        transport, most = connection._ws.transport, 0
        for _ in range(1500):
            alice.transport.write(ping * 100)
            await asyncio.sleep(0)
            most = max(most, transport.get_write_buffer_size())
            if not gateway.sessions.connections:
                break
        assert most < 1 << 20
        await until(lambda: not gateway.sessions.connections)
    assert await serves(gateway)


class Socket:
    """Stands in for a WebSocket whose kernel takes one write, then waits until told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.entered = asyncio.Event()
        self.over = asyncio.Event()
        self.open = True
        self.close_code: int | None = None

    def write(self, frames: list[bytes]) -> bool:
        self.written += frames
        self.entered.set()
        return False

    def close(self, code: int, reason: str = "") -> None:
        self.closed.append((code, reason))
        self.open = False
        self.over.set()

    def abort(self) -> None:
        pytest.fail("nobody aborts here")

    def pause(self) -> None:
        pytest.fail("nothing is in flight")

    def resume(self) -> None:
        pytest.fail("nothing was in flight")


class Box:
    """A connection over such a socket, and the fates it told."""

    def __init__(
        self, *, outbox_bytes: int = 100, close_timeout_s: float = 30, stall_s: float = 30
    ) -> None:
        self.socket = Socket()
        config = Config(
            gateway_id="g1",
            outbox_bytes=outbox_bytes,
            window=4,
            close_timeout_s=close_timeout_s,
            stall_s=stall_s,
        )
        self.gone = asyncio.Event()
        self.connection = Connection(
            self.socket, "c1", config, self.receive, lambda _: self.gone.set()
        )
        self.fates: list[tuple[bytes, Status]] = []

    async def __aenter__(self) -> "Box":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.connection.lost()
        self.connection.ended()
        await asyncio.wait_for(self.gone.wait(), 30)

    def receive(self, _: Connection, text: str) -> None:
        pytest.fail(f"nobody said {text}")

    def send(self, frame: bytes) -> bool:
        return self.connection.send(frame, lambda fate: self.fates.append((frame, fate)))


async def test_frames_are_written_in_order_and_told_so() -> None:
    async with Box() as box:
        for frame in (b"a", b"b", b"c"):
            assert box.send(frame)
        assert box.connection.queued_bytes == 3
        await box.socket.entered.wait()
        assert box.fates == []
        box.connection.writable()
        assert box.socket.written == [b"a", b"b", b"c"]
        assert box.fates == [(frame, Status.DELIVERED) for frame in (b"a", b"b", b"c")]
        assert box.connection.queued_bytes == 0


async def test_one_byte_too_many_closes_and_hands_everything_back() -> None:
    async with Box(outbox_bytes=100) as box:
        box.send(b"a" * 40)
        await box.socket.entered.wait()  # in the middle of this one
        box.send(b"b" * 60)
        assert box.connection.open
        box.send(b"c")
        assert not box.connection.open
        assert box.connection.queued_bytes == 0
        assert dict(box.fates)[b"b" * 60] is Status.OFFLINE
    assert box.socket.closed == [(CloseCode.SLOW_CONSUMER, "")]
    assert dict(box.fates)[b"a" * 40] is Status.UNKNOWN
    assert Counter(box.fates).most_common(1)[0][1] == 1, "each hears its fate once"


async def test_a_closed_connection_takes_nothing() -> None:
    async with Box() as box:
        box.connection.close(CloseCode.REPLACED, flush=False)
        assert not box.send(b"late")
    assert box.fates == []


async def test_a_close_that_flushes_writes_first() -> None:
    async with Box() as box:
        box.send(b"last words")
        box.connection.close(CloseCode.RESTART, "reconnectMs=100")
        await box.socket.entered.wait()
        assert box.socket.closed == []
        box.connection.writable()
        await asyncio.wait_for(box.socket.over.wait(), 30)
    assert box.socket.written == [b"last words"]
    assert box.socket.closed == [(CloseCode.RESTART, "reconnectMs=100")]
    assert box.fates == [(b"last words", Status.DELIVERED)]


async def test_a_flush_nobody_reads_ends_by_itself_and_the_rest_is_handed_back() -> None:
    async with Box(close_timeout_s=0.05) as box:
        box.send(b"a")
        await box.socket.entered.wait()
        box.send(b"b")
        box.connection.close(CloseCode.RESTART)
        await asyncio.wait_for(box.socket.over.wait(), 30)
    assert dict(box.fates) == {b"a": Status.UNKNOWN, b"b": Status.OFFLINE}


async def test_a_write_that_stalls_closes() -> None:
    async with Box(stall_s=0.05) as box:
        box.send(b"a")
        await box.socket.entered.wait()
        box.send(b"b")
        await asyncio.wait_for(box.socket.over.wait(), 30)
    assert box.socket.closed == [(CloseCode.SLOW_CONSUMER, "")]
    assert dict(box.fates) == {b"a": Status.UNKNOWN, b"b": Status.OFFLINE}


async def test_the_bound_holds_while_it_flushes() -> None:
    async with Box(outbox_bytes=100) as box:
        box.connection.close(CloseCode.RESTART)
        for _ in range(50):
            box.send(b"x" * 10)
            assert box.connection.queued_bytes <= 100


async def test_the_first_close_decides() -> None:
    async with Box() as box:
        box.connection.close(CloseCode.HEARTBEAT_TIMEOUT)
        box.connection.close(CloseCode.RESTART)
    assert box.socket.closed == [(CloseCode.HEARTBEAT_TIMEOUT, "")]
    assert box.connection.close_code == CloseCode.HEARTBEAT_TIMEOUT


async def test_json_is_what_the_client_gets_as_text(start: Start) -> None:
    gateway = await start()
    async with session(gateway, "alice") as alice:
        await say(alice, type="ping")
        heard = await alice.recv()
    assert isinstance(heard, str)
    assert json.loads(heard) == {"type": "pong"}
