"""The bad-input table of docs/protocol.md, row by row, against a live gateway.

A row that shows its frame is sent as shown; a row in words needs a sender here.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from raw import close_code, hear, opened, say, serves
from websockets.asyncio.client import ClientConnection

from wsgateway import protocol
from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.errors import CloseCode, ErrorCode
from wsgateway.gateway import Gateway

PROTOCOL = Path(__file__).parent.parent / "docs" / "protocol.md"
ROW = re.compile(r"\| `(?P<case>[a-z0-9-]+)` \| (?P<sent>.+) \| `(?P<kind>\w+) (?P<answer>\w+)` \|")


@dataclass(frozen=True)
class Row:
    """One row of the table: `kind` is error or close."""

    case: str
    sent: str
    kind: str
    answer: str


def rows() -> list[Row]:
    document = PROTOCOL.read_text("utf-8")
    between = document.split("<!-- bad-input:begin -->")[1].split("<!-- bad-input:end -->")[0]
    found = [(line, ROW.fullmatch(line)) for line in between.strip().splitlines()[2:]]
    assert all(match for _, match in found), [line for line, match in found if not match]
    return [Row(**match.groupdict()) for _, match in found if match]


def message(content: object, to: str = "bob") -> str:
    return json.dumps({"type": "message", "to": to, "content": content})


def register(user: str) -> str:
    return json.dumps({"type": "register", "userId": user})


def text(frame: str) -> Callable[[ClientConnection], Awaitable[None]]:
    return lambda ws: ws.send(frame)


def of_length(size: int) -> str:
    """Return a good message frame of exactly `size` bytes."""
    return message("x" * (size - len(message(""))))


SENDERS: dict[str, Callable[[ClientConnection], Awaitable[None]]] = {
    "empty-frame": text(""),
    "deep-nesting": text('{"type":"ping","x":' + "[" * 30_000 + "]" * 30_000 + "}"),
    "huge-integer": text(message(0).replace(" 0}", "9" * 5000 + "}")),
    "user-id-10kb": text(register("a" * 10_240)),
    "user-id-65": text(register("a" * 65)),
    "to-self": text(message("hi", to="alice")),
    "register-twice": text(register("alice")),
    "register-twice-other-user": text(register("carol")),
    "binary": lambda ws: ws.send(b'{"type":"ping"}'),
    "bad-utf8": lambda ws: ws.send(b'{"type":"ping","x":"\xff"}', text=True),
    "oversized": text(of_length(protocol.MAX_FRAME_BYTES + 1)),
}


def frame_shown(row: Row) -> str | None:
    shown = re.fullmatch(r"`([^`]+)`", row.sent)
    return shown[1] if shown else None


def comes_first(row: Row) -> bool:
    """Whether the row is about a socket that has not registered."""
    return row.case.startswith("user-id-") or row.case.endswith("-before-register")


@pytest.fixture
async def gateway(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Gateway]:
    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    async with Gateway(config) as gateway:
        yield gateway


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.case)
async def test_each_gets_its_answer_and_nobody_else_notices(
    gateway: Gateway, row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    shown = frame_shown(row)
    async with opened(gateway) as ws:
        if not comes_first(row):
            await say(ws, type="register", userId="alice")
            assert (await hear(ws))["userId"] == "alice"
        await (SENDERS[row.case](ws) if shown is None else ws.send(shown))
        if row.kind == "close":
            assert await close_code(ws) == int(row.answer)
        else:
            answer = await hear(ws)
            assert (answer["type"], answer["code"]) == ("error", row.answer)
            assert answer["message"]
            await still_usable(ws, registered=not comes_first(row))
    assert await serves(gateway)
    assert not [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]


async def still_usable(ws: ClientConnection, *, registered: bool) -> None:
    if not registered:
        await say(ws, type="register", userId="alice")
        assert (await hear(ws))["userId"] == "alice"
    await say(ws, type="ping")
    assert await hear(ws) == {"type": "pong"}


def test_every_row_in_words_has_a_sender_and_every_sender_a_row() -> None:
    assert {row.case for row in rows() if frame_shown(row) is None} == set(SENDERS)


def test_no_case_is_told_twice() -> None:
    cases = [row.case for row in rows()]
    assert len(cases) == len(set(cases))


def test_every_code_that_bad_input_can_get_is_in_the_table() -> None:
    trouble = {ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED, ErrorCode.OFFLINE, ErrorCode.UNKNOWN}
    answers = {row.answer for row in rows()}
    assert {code.value for code in ErrorCode if code not in trouble} <= answers
    assert {str(CloseCode.BINARY), str(CloseCode.BAD_UTF8), str(CloseCode.TOO_BIG)} <= answers


async def test_the_largest_frame_is_still_good(gateway: Gateway) -> None:
    async with opened(gateway) as alice, opened(gateway) as bob:
        for ws, user in ((alice, "alice"), (bob, "bob")):
            await ws.send(register(user))
            await hear(ws)
        largest = of_length(protocol.MAX_FRAME_BYTES)
        await alice.send(largest)
        assert (await hear(bob))["content"] == json.loads(largest)["content"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"GET",
        b"GET /ws HTTP/1.1\r\n\r\n",
        b"POST /ws HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\xff" * 5000,
    ],
)
async def test_what_is_not_even_a_websocket(gateway: Gateway, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert await serves(gateway)
