"""RFC 6455, byte by byte: what a gateway makes of frames that no client library would write."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from raw import PATIENCE_S, serves

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.gateway import Gateway
from wsgateway.protocol import MAX_FRAME_BYTES

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
MASK = b"\x37\xfa\x21\x3d"

PING_FRAME = b'{"type":"ping"}'
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: %s\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)


def frame(head: int, payload: bytes = b"", *, length: bytes | None = None) -> bytes:
    """Return a masked frame.

    Args:
        head: the first byte: flags and opcode.
        payload: not yet masked.
        length: the length as written, if it is not to be the right one; without the mask bit.
    """
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 1 << 16:
            length = b"\x7e" + size.to_bytes(2, "big")
        else:
            length = b"\x7f" + size.to_bytes(8, "big")
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([head, length[0] | 0x80]) + length[1:] + MASK + masked


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(FIN | CLOSE, code.to_bytes(2, "big") + reason)


class Wire:
    """A client that writes bytes, and reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, *data: bytes) -> None:
        self._writer.write(b"".join(data))

    async def drain(self) -> None:
        """Wait until most of what was written has left."""
        async with asyncio.timeout(PATIENCE_S):
            await self._writer.drain()

    async def shake_hands(self, connection: bytes = b"Upgrade", more: bytes = b"") -> bytes:
        """Return the head of the answer."""
        self.write(HANDSHAKE % (connection, more))
        return await self.hear_head()

    async def hear_head(self) -> bytes:
        """Return the head of an HTTP answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def hear(self) -> tuple[int, bytes]:
        """Return the first byte and the payload of the next frame."""
        async with asyncio.timeout(PATIENCE_S):
            head, size = await self._reader.readexactly(2)
            assert size < 0x80, "servers never mask"
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            return head, await self._reader.readexactly(size)

    async def hear_close(self) -> bytes:
        """Return what the close frame says; behind it is nothing but the end."""
        head, payload = await self.hear()
        while head == FIN | TEXT:
            head, payload = await self.hear()
        assert head == FIN | CLOSE
        await self.hear_the_end()
        return payload

    async def hear_the_end(self) -> None:
        """Assert that nothing more comes."""
        async with asyncio.timeout(PATIENCE_S):
            assert await self._reader.read() == b""

    async def is_heard(self) -> None:
        """Assert that the gateway still listens: what is not JSON is answered."""
        head, payload = await self.hear()
        assert head == FIN | TEXT
        assert json.loads(payload)["type"] == "error"


Dial = Callable[[], AbstractAsyncContextManager[Wire]]


@pytest.fixture
async def gateway(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Gateway]:
    config = Config(
        gateway_id="g1",
        port=0,
        redis=redis_server.url,
        key_prefix=key_prefix,
        register_timeout_s=2 * PATIENCE_S,  # nothing here ends by that
    )
    async with Gateway(config) as gateway:
        yield gateway


@pytest.fixture
def dial(gateway: Gateway) -> Dial:
    """Open a TCP connection."""

    @asynccontextmanager
    async def dial() -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()

    return dial


@pytest.fixture
async def wire(dial: Dial) -> AsyncIterator[Wire]:
    """An open WebSocket."""
    async with dial() as wire:
        assert (await wire.shake_hands()).startswith(b"HTTP/1.1 101 ")
        yield wire


# The handshake.


@pytest.mark.parametrize("connection", [b"upgrade", b"keep-alive, Upgrade"])  # the last: Firefox
async def test_what_browsers_send_is_accepted(dial: Dial, connection: bytes) -> None:
    async with dial() as wire:
        answer = await wire.shake_hands(connection)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # of RFC 6455 section 1.3


async def test_no_extension_is_accepted(dial: Dial) -> None:
    async with dial() as wire:
        offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        assert b"extensions" not in (await wire.shake_hands(more=offer)).lower()


async def test_frames_in_the_segment_of_the_handshake_are_heard(dial: Dial) -> None:
    async with dial() as wire:
        wire.write(HANDSHAKE % (b"Upgrade", b""), frame(FIN | TEXT, PING_FRAME))
        await wire.hear_head()
        await wire.is_heard()


# Messages.


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
async def test_every_length_is_read_and_written(wire: Wire, size: int) -> None:
    wire.write(frame(FIN | TEXT, b"x" * size))
    await wire.is_heard()


async def test_many_in_one_segment_are_heard_in_order(wire: Wire) -> None:
    """Whole ones, fragments and pings, more than one read takes in."""
    sent: list[bytes] = []
    asked: list[str] = []
    for n in range(600):
        text = json.dumps({"type": "message", "to": "x", "content": "", "id": f"{n}"}).encode()
        asked.append(f"{n}")
        if n % 7 == 0:
            sent += [frame(TEXT, text[:9]), frame(FIN | PING), frame(FIN | CONT, text[9:])]
        elif n % 11 == 0:
            sent += [frame(FIN | TEXT, text.ljust(3000)), frame(FIN | PONG)]
        else:
            sent.append(frame(FIN | TEXT, text))
    wire.write(*sent)
    heard: list[str] = []
    while len(heard) < len(asked):
        head, answer = await wire.hear()
        if head == FIN | TEXT:
            heard.append(json.loads(answer)["replyTo"])
    assert heard == asked


async def test_a_byte_at_a_time_is_the_same(wire: Wire) -> None:
    for byte in frame(FIN | TEXT, b"x" * 200):
        wire.write(bytes([byte]))
        await asyncio.sleep(0)
    await wire.is_heard()


async def test_fragments_and_pings_between_them(wire: Wire) -> None:
    wire.write(frame(TEXT, b'{"type":'), frame(FIN | PING, b"one"), frame(CONT, b""))
    assert await wire.hear() == (FIN | PONG, b"one")
    wire.write(frame(FIN | PING, b"two"), frame(FIN | PONG), frame(FIN | CONT, b'"ping"}'))
    assert await wire.hear() == (FIN | PONG, b"two")
    head, answer = await wire.hear()
    assert (head, json.loads(answer)["code"]) == (FIN | TEXT, "not_registered")


async def test_a_character_may_be_cut_in_two(wire: Wire) -> None:
    whole = '{"type":"register","userId":"早"}'.encode()
    at = whole.index("早".encode()) + 1
    wire.write(frame(TEXT, whole[:at]), frame(FIN | CONT, whole[at:]))
    head, answer = await wire.hear()
    assert (head, json.loads(answer)["code"]) == (FIN | TEXT, "bad_user_id")


async def test_pings_are_answered_with_what_they_say(wire: Wire) -> None:
    for payload in (b"", b"\x00\xff", b"p" * 125):
        wire.write(frame(FIN | PING, payload))
        assert await wire.hear() == (FIN | PONG, payload)


async def test_pongs_nobody_asked_for_are_no_news(wire: Wire) -> None:
    wire.write(frame(FIN | PONG, b"?"), frame(FIN | TEXT, b"x"))
    await wire.is_heard()


@pytest.mark.parametrize("size", [MAX_FRAME_BYTES, MAX_FRAME_BYTES // 2])
async def test_the_limit_itself_is_allowed_in_one_piece_or_two(wire: Wire, size: int) -> None:
    rest = MAX_FRAME_BYTES - size
    wire.write(frame(TEXT, b"x" * size), frame(FIN | CONT, b"x" * rest))
    await wire.is_heard()


# What ends it.

ENDS = {
    "rsv1": (1002, frame(FIN | RSV1 | TEXT, b"x")),
    "rsv2": (1002, frame(FIN | RSV2 | TEXT, b"x")),
    "rsv3": (1002, frame(FIN | RSV3 | TEXT, b"x")),
    "rsv of a ping": (1002, frame(FIN | RSV1 | PING, b"x")),
    "rsv of a continuation": (1002, frame(TEXT, b"x") + frame(FIN | RSV1 | CONT, b"x")),
    **{f"opcode {code:x}": (1002, frame(FIN | code)) for code in (3, 4, 5, 6, 7, *range(11, 16))},
    "unmasked": (1002, b"\x81\x01x"),
    "fragmented ping": (1002, frame(PING, b"x")),
    "fragmented close": (1002, frame(CLOSE, b"\x03\xe8")),
    "long ping": (1002, frame(FIN | PING, b"x" * 126)),
    "long close": (1002, closing(1000, b"x" * 124)),
    "continuation of nothing": (1002, frame(FIN | CONT, b"x")),
    "continuation after the end": (
        1002,
        frame(TEXT, b'{"type":') + frame(FIN | CONT, b"") + frame(FIN | CONT, b"x"),
    ),
    "text inside a message": (1002, frame(TEXT, b"x") + frame(FIN | TEXT, b"y")),
    "binary inside a message": (1002, frame(TEXT, b"x") + frame(FIN | BINARY, b"y")),
    "2^63 - 1": (1009, frame(FIN | TEXT, length=b"\x7f\x7f" + b"\xff" * 7)),
    "2^62 in a fragment": (1009, frame(TEXT, length=b"\x7f\x40" + bytes(7))),
    "one too many": (1009, frame(FIN | TEXT, b"x" * (MAX_FRAME_BYTES + 1))),
    "one too many, in fragments": (
        1009,
        frame(TEXT, b"x" * MAX_FRAME_BYTES) + frame(CONT) + frame(FIN | CONT, b"x"),
    ),
    "binary": (1003, frame(FIN | BINARY, b"x")),
    "bad utf-8": (1007, frame(FIN | TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80")),
    "half a character": (1007, frame(FIN | TEXT, "早".encode()[:2])),
    "bad utf-8 in two fragments": (1007, frame(TEXT, b"\xc0") + frame(FIN | CONT, b"\x80")),
    "bad utf-8 over a ping": (
        1007,
        frame(TEXT, b"\xe6\x97") + frame(FIN | PONG) + frame(FIN | CONT, b"x"),
    ),
    "close of one byte": (1002, frame(FIN | CLOSE, b"\x03")),
    "close with bad utf-8": (1007, closing(1000, b"\xff")),
    **{
        f"close code {code}": (1002, closing(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
}


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "in one segment": lambda sent: [sent],
    "behind good messages": lambda sent: [frame(FIN | TEXT, PING_FRAME) * 3 + sent],
    "in pieces": lambda sent: [
        sent[at : at + len(sent) // 50 + 1] for at in range(0, len(sent), len(sent) // 50 + 1)
    ],
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("case", ENDS)
async def test_each_ends_with_its_code(gateway: Gateway, wire: Wire, case: str, cut: str) -> None:
    code, sent = ENDS[case]
    for piece in CUTS[cut](sent):
        wire.write(piece)
        await asyncio.sleep(0)
    assert (await wire.hear_close())[:2] == code.to_bytes(2, "big")
    assert await serves(gateway)


@pytest.mark.parametrize("length", [b"\x7f\x80" + bytes(7), b"\x7f" + b"\xff" * 8])
async def test_a_length_beyond_63_bits_ends_it(wire: Wire, length: bytes) -> None:
    wire.write(frame(FIN | TEXT, length=length))
    assert int.from_bytes((await wire.hear_close())[:2], "big") in (1002, 1009)


@pytest.mark.parametrize("again", [frame(FIN | RSV1 | TEXT), closing(1000), frame(FIN | PING)])
async def test_nothing_is_said_after_the_close_frame(wire: Wire, again: bytes) -> None:
    """Whatever follows the first offence, and however it is cut into segments."""
    for data in (frame(FIN | RSV1 | TEXT), again, again[:3], again[3:]):
        wire.write(data)
        await asyncio.sleep(0)
    assert (await wire.hear_close())[:2] == (1002).to_bytes(2, "big")


# The closing handshake.


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4999])
async def test_a_good_code_is_echoed(wire: Wire, code: int) -> None:
    wire.write(closing(code, "bye, 再见".encode()))
    assert (await wire.hear_close())[:2] == code.to_bytes(2, "big")


async def test_no_code_is_answered_too(wire: Wire) -> None:
    wire.write(frame(FIN | CLOSE))
    assert (await wire.hear_close())[:2] in (b"", (1000).to_bytes(2, "big"))


async def test_what_comes_after_a_close_frame_is_ignored(gateway: Gateway, wire: Wire) -> None:
    wire.write(closing(1000), frame(FIN | TEXT, b"x"), frame(FIN | RSV1 | TEXT, b"x"))
    assert await wire.hear_close() == (1000).to_bytes(2, "big")
    assert gateway.stats()["refused"] == {}


async def test_what_was_said_before_a_close_frame_is_heard(gateway: Gateway, wire: Wire) -> None:
    wire.write(frame(FIN | TEXT, b"x"), frame(FIN | TEXT, b"y"), closing(1000))
    assert await wire.hear_close() == (1000).to_bytes(2, "big")
    assert gateway.stats()["refused"] == {"not_json": 2}


async def test_who_is_still_sending_when_refused_hears_why(wire: Wire) -> None:
    """Closing with unread bytes resets the connection, and takes the close frame along."""
    wire.write(frame(FIN | TEXT, length=b"\x7f" + (1 << 30).to_bytes(8, "big")))
    for _ in range(64):
        wire.write(bytes(1 << 16))
        await wire.drain()
    assert (await wire.hear_close())[:2] == (1009).to_bytes(2, "big")


async def test_a_drain_drops_who_has_not_finished_the_handshake(
    gateway: Gateway, dial: Dial
) -> None:
    async with dial() as wire:
        wire.write(b"GET /ws HTTP/1.1\r\n")
        assert await serves(gateway)  # later ones are in: the gateway has seen the first
        await gateway.aclose()
        await wire.hear_the_end()
