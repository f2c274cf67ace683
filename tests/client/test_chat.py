"""`python -m wsgateway.client` as a process: fed by a pipe, and at a terminal of its own."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from gateways import gateway_process
from scripted_gateway import Scripted

from wsgateway.brokers import RedisServer
from wsgateway.client import Client, Status
from wsgateway.errors import CloseCode

PIPE = asyncio.subprocess.PIPE


@pytest.fixture
async def url(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[str]:
    async with gateway_process("g1", redis_server.url, key_prefix) as gateway:
        yield gateway.url


@asynccontextmanager
async def chat(
    *flags: str, stdin: int = PIPE, stdout: int = PIPE, encoding: str = "utf-8"
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wsgateway.client", *flags),
        stdin=stdin,
        stdout=stdout,
        stderr=PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def piped(lines: bytes, *flags: str) -> tuple[int | None, list[str], str]:
    """Return the exit status, the lines printed about messages, and stderr."""
    async with chat(*flags) as process:
        out, err = await process.communicate(lines)
        shown = [line for line in out.decode().splitlines() if not line.startswith("*")]
        return process.returncode, shown, err.decode()


async def test_every_piped_line_is_sent_in_order(url: str) -> None:
    lines = "".join(f"line {n}\n" for n in range(50))
    async with Client("bob", url) as bob:
        status, shown, err = await piped(
            f"bob: 你好\r\n\n/to bob\n{lines}nobody: x\nno newline".encode(),
            *("--user", "alice", "--gateway", url),
        )
        expected = ["你好", *(f"line {n}" for n in range(50)), "no newline"]
        assert [(await anext(bob)).content for _ in expected] == expected
    assert (status, err) == (0, "")
    assert shown == [
        "-> bob: 你好  [delivered]",
        *(f"-> bob: line {n}  [delivered]" for n in range(50)),
        "-> nobody: x  [offline]",
        "-> bob: no newline  [delivered]",
    ]


async def test_a_refused_line_makes_a_pipe_fail(url: str) -> None:
    status, shown, _ = await piped(b"alice: me\n", "--user", "alice", "--gateway", url)
    assert (status, shown) == (1, [])
    status, _, _ = await piped(b"nobody named\n", "--user", "alice", "--gateway", url)
    assert status == 1


async def test_no_gateway(unused_tcp_port: int) -> None:
    url = f"ws://127.0.0.1:{unused_tcp_port}/ws"
    status, _, err = await piped(
        b"bob: hi\n", "--user", "alice", "--gateway", url, "--connect-timeout", "0.2"
    )
    assert status == 1
    assert err.startswith("wsgateway.client: no gateway answered within 0.2 s")
    assert err.count("\n") == 1
    assert "Errno" not in err


async def test_a_wrong_path(url: str) -> None:
    wrong = url.removesuffix("/ws") + "/"
    status, _, err = await piped(b"bob: hi\n", "--user", "alice", "--gateway", wrong)
    assert status == 1
    text = f"no gateway at {wrong}: HTTP 404 Not Found; a gateway's path is /ws"
    assert err == f"wsgateway.client: {text}\n"


@pytest.mark.parametrize(
    "flags",
    [
        ("--user", "a b"),
        ("--user", "a", "--gateway", "http://x"),
        ("--user", "a", "--to", "b b"),
        ("--user", "a", "--timeout", "-1"),
        ("--user", "a", "--timeout", "nan"),
        ("--user", "a", "--connect-timeout", "0"),
    ],
)
async def test_wrong_flags(flags: tuple[str, ...]) -> None:
    status, _, err = await piped(b"", *flags)
    assert status == 2
    assert err.startswith("wsgateway")
    assert err.count("\n") == 1


async def test_chinese_where_the_terminal_has_none(gateway: Scripted) -> None:
    gateways = ("--gateway", gateway.url)
    async with chat("--user", "alice", *gateways, encoding="ascii") as process:
        socket = await (await gateway.accept()).registered()
        await socket.say(type="message", content="你好", **{"from": "bob"})
        talking = asyncio.create_task(process.communicate("/help\nbob: 好\n".encode()))
        frame = await socket.message()
        assert frame["content"] == "好"
        await socket.ack(frame["id"], "accepted")
        out, err = await talking
    assert (process.returncode, err) == (0, b"")
    shown = out.decode("ascii").splitlines()
    assert r"bob: \u4f60\u597d" in shown
    assert r"-> bob: \u597d  [accepted]" in shown


async def test_how_news_are_worded(gateway: Scripted) -> None:
    lines = b"/to\nbob: one\nbob: two\nbob: three\n/quit\n"
    async with chat("--user", "alice", "--gateway", gateway.url) as process:
        socket = await (await gateway.accept()).registered()
        talking = asyncio.create_task(process.communicate(lines))
        for status, late in (("accepted", "offline"), ("routed", "unknown")):
            frame = await socket.message()
            await socket.ack(frame["id"], status)
            await socket.say(type="error", code=late, message="late", replyTo=frame["id"])
        await socket.message()  # a pipe waits for the status of a line, so all else was read
        await socket.close(CloseCode.RESTART, "reconnectMs=1")
        socket = await (await gateway.accept()).registered()
        await socket.ack((await socket.message())["id"], "delivered")
        out, _ = await talking
    shown = out.decode().splitlines()
    assert "* to whom? /to bob, or bob: hi" in shown
    assert "-> bob: one  [accepted]" in shown
    assert "* did not arrive after all: -> bob: one  [offline]" in shown
    assert "* nobody can tell whether it arrived: -> bob: two  [unknown]" in shown
    assert "* lost g1: it is shutting down (close code 1012)" in shown
    assert f"* trying {gateway.url} now" in shown
    assert "-> bob: three  [delivered]" in shown


async def test_replaced_ends_it_although_stdin_is_open(gateway: Scripted) -> None:
    async with chat("--user", "alice", "--gateway", gateway.url) as process:
        socket = await (await gateway.accept()).registered()
        await socket.close(CloseCode.REPLACED)
        assert process.stderr is not None
        assert await process.stderr.read() == b"wsgateway.client: alice registered elsewhere\n"
        assert await process.wait() == 1


async def test_it_says_when_it_reconnects_and_what_comes_in(gateway: Scripted) -> None:
    async with Scripted() as other:
        gateways = ("--gateway", gateway.url, "--gateway", other.url)
        async with chat("--user", "alice", *gateways) as process:
            socket = await (await gateway.accept()).registered("g1")
            await socket.say(type="message", content="hi\x1b[2J\n", **{"from": "bob"})
            socket.cut()
            socket = await (await other.accept()).registered("g2")
            out, err = await process.communicate(b"")
    first, message, lost, trying, again = out.decode().splitlines()
    assert first == f"* connected to g1 at {gateway.url}"
    assert message == "bob: hi\\x1b[2J\\n"
    assert lost == "* lost g1: the connection broke (close code 1006)"
    assert re.fullmatch(rf"\* trying {re.escape(other.url)} (now|in 0\.[12] s)", trying)
    assert again == f"* connected again, now to g2 at {other.url}"
    assert (process.returncode, err) == (0, b"")


class Keyboard:
    """A pseudo terminal: the test types, and sees what the program draws."""

    def __init__(self) -> None:
        self.fd, self.program_fd = os.openpty()
        self._seen = b""
        self._came = asyncio.Event()

    def __enter__(self) -> "Keyboard":
        asyncio.get_running_loop().add_reader(self.fd, self._read)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)
        os.close(self.program_fd)

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    async def sees(self, text: str) -> None:
        """Wait until `text` was drawn, after what was seen before."""
        while (at := self._seen.find(text.encode())) < 0:
            self._came.clear()
            await self._came.wait()
        self._seen = self._seen[at + len(text.encode()) :]

    def _read(self) -> None:
        self._seen += os.read(self.fd, 65536)
        self._came.set()


async def test_the_prompt_stays_below_what_comes_in(url: str) -> None:
    import termios

    with Keyboard() as keyboard:
        before = termios.tcgetattr(keyboard.program_fd)
        terminal = keyboard.program_fd
        flags = ("--user", "alice", "--gateway", url)
        async with Client("bob", url) as bob, chat(*flags, stdin=terminal, stdout=terminal) as it:
            await keyboard.sees("alice> ")
            keyboard.type("/to bob\n")
            await keyboard.sees("alice to bob> ")
            keyboard.type("half 好x")
            await keyboard.sees("alice to bob> half 好x")
            keyboard.type("\x7f")
            await keyboard.sees("\r\x1b[Kalice to bob> half 好")
            assert await bob.send("alice", "psst") is Status.DELIVERED
            await keyboard.sees("\r\x1b[Kbob: psst\r\n\r\x1b[Kalice to bob> half 好")
            keyboard.type("\n")
            assert (await anext(bob)).content == "half 好"
            await keyboard.sees("-> bob: half 好  [delivered]")
            keyboard.type("\x04")
            assert await it.wait() == 0
        assert termios.tcgetattr(keyboard.program_fd) == before, "the terminal is as it was"
