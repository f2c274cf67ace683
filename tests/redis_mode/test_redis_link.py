"""One connection, many calls: each answered once and in order, or failed once; no task for any."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from raw import until

from wsgateway.brokers import RedisServer
from wsgateway.errors import RedisUnavailable
from wsgateway.redis.link import Answer, Link, refusal
from wsgateway.redis.nodes import pool_of
from wsgateway.redis.wire import Command, Wire


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def link(redis_server: RedisServer) -> AsyncIterator[Link]:
    made = Link(pool_of(redis_server.url, 2), 2)
    yield made
    await made.aclose()


class Heard(list[Answer]):
    """Collects answers."""

    def of(self, link: Link, *commands: Command) -> None:
        link.call(commands, self.append)

    def errors(self) -> int:
        return sum(isinstance(one, RedisUnavailable) for one in self)


def echo(text: str) -> Command:
    return ("ECHO", text)


async def test_calls_are_answered_in_order_also_those_made_before_there_was_a_connection(
    link: Link,
) -> None:
    heard = Heard()
    for n in range(100):
        heard.of(link, echo(f"{n}"), echo(f"{n}!"))
    await until(lambda: len(heard) == 100)
    for n in range(100, 1_000):
        heard.of(link, echo(f"{n}"), echo(f"{n}!"))
    await until(lambda: len(heard) == 1_000)
    assert heard == [[b"%d" % n, b"%d!" % n] for n in range(1_000)]


async def test_no_call_costs_a_task_or_a_future(link: Link, monkeypatch: Any) -> None:
    await link.ask([echo("warm-up")])
    loop = asyncio.get_running_loop()
    made: list[str] = []
    heard = Heard()
    for name in ("create_task", "create_future"):
        monkeypatch.setattr(loop, name, lambda *_, name=name, **__: made.append(name))
    for n in range(1_000):
        heard.of(link, echo(f"{n}"))
    monkeypatch.undo()
    await until(lambda: len(heard) == 1_000)
    assert made == []


async def test_a_refusal_is_a_reply_and_disturbs_nobody(link: Link) -> None:
    refused, kept = await link.ask([("HGETX",), echo("kept")])
    assert "unknown command" in (refusal(refused) or "")
    assert (refusal(kept), kept) == (None, b"kept")


async def test_what_is_under_way_fails_once_when_the_server_dies_and_its_return_is_noticed(
    own_server: RedisServer,
) -> None:
    link, heard = Link(pool_of(own_server.url, 5), 5), Heard()
    try:
        await link.ask([echo("up")])
        for _ in range(10):
            heard.of(link, ("BLPOP", "nothing", 0))
        own_server.kill()
        await until(lambda: len(heard) == 10)
        assert heard.errors() == 10
        with pytest.raises(RedisUnavailable, match="did not answer"):
            await link.ask([echo("down")])
        await asyncio.to_thread(own_server.restart)
        assert await link.ask([echo("again")]) == [b"again"]
        assert len(heard) == 10, "each told once"
    finally:
        await link.aclose()


async def test_a_server_without_an_answer_is_given_up_and_a_late_reply_is_nobodys(
    own_server: RedisServer,
) -> None:
    link, heard = Link(pool_of(own_server.url, 0.3), 0.3), Heard()
    try:
        await link.ask([echo("up")])
        own_server.pause()
        for n in range(3):
            heard.of(link, echo(f"{n}"))
        await until(lambda: len(heard) == 3)
        assert heard.errors() == 3
        assert "0.3 s" in str(heard[0])
        own_server.resume()
        assert await link.ask([echo("mine")]) == [b"mine"]
    finally:
        await link.aclose()


async def test_a_process_that_slept_reads_before_it_judges(redis_server: RedisServer) -> None:
    link, heard = Link(pool_of(redis_server.url, 0.2), 0.2), Heard()
    try:
        await link.ask([echo("up")])
        heard.of(link, echo("in the socket"))
        time.sleep(0.5)  # noqa: ASYNC251 the whole loop sleeps, as under SIGSTOP
        await until(lambda: len(heard) == 1)
        assert heard == [[b"in the socket"]]
    finally:
        await link.aclose()


async def test_closing_fails_what_is_under_way_and_what_comes_later(
    redis_server: RedisServer,
) -> None:
    before = asyncio.all_tasks()
    for connected in (False, True):
        link, heard = Link(pool_of(redis_server.url, 2), 2), Heard()
        if connected:
            await link.ask([echo("up")])
        heard.of(link, ("BLPOP", "nothing", 0))
        await link.aclose()
        await link.aclose()
        heard.of(link, echo("late"))
        await until(lambda: len(heard) == 2)  # noqa: B023
        assert heard.errors() == 2
    assert asyncio.all_tasks() == before


async def test_one_answer_that_is_not_taken_in_costs_one_call(link: Link) -> None:
    def fails(_: Answer) -> None:
        raise ValueError("a bug")

    heard = Heard()
    await link.ask([echo("up")])
    link.call([echo("1")], fails)
    heard.of(link, echo("2"))
    await until(lambda: heard == [[b"2"]])


async def test_what_is_not_redis_is_left() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link(pool_of(f"redis://127.0.0.1:{port}", 2), 2)
    with pytest.raises(RedisUnavailable):
        await link.ask([echo("1")])
    await link.aclose()
    server.close()


async def test_what_says_more_than_it_was_asked_is_left(
    link: Link, redis_server: RedisServer, key_prefix: str
) -> None:
    channel, other = f"{key_prefix}x", Link(pool_of(redis_server.url, 2), 2)
    assert await link.ask([("SUBSCRIBE", channel)]) == [[b"subscribe", channel.encode(), 1]]
    assert await other.ask([("PUBLISH", channel, "1")]) == [1]
    await until(lambda: link._wire is None)
    assert await link.ask([echo("fresh")]) == [b"fresh"]
    await other.aclose()


async def test_redis_py_dials_with_login_database_and_socket_file(tmp_path: Path) -> None:
    socket_file = str(tmp_path / "redis.sock")
    options = {"unixsocket": socket_file}
    with RedisServer(password="s3cret/?", options=options) as server:
        for url in (f"{server.url}/3", f"unix://:s3cret%2F%3F@{socket_file}?db=3"):
            link = Link(pool_of(url, 2), 2)
            (about,) = await link.ask([("CLIENT", "INFO")])
            assert b" db=3 " in about
            assert b" resp=2 " in about
            await link.aclose()
        link = Link(pool_of(f"redis://127.0.0.1:{server.port}", 2), 2)
        with pytest.raises(RedisUnavailable, match="Authentication required"):
            await link.ask([echo("1")])
        await link.aclose()


def test_uvloops_connections_can_be_taken_over_too(redis_server: RedisServer) -> None:
    async def talk() -> list[Any]:
        link = Link(pool_of(redis_server.url, 2), 2)
        try:
            big = "x" * 3_000_000  # more than one read, and more than one write
            return [await link.ask([echo(big), echo("small")]), await link.ask([echo("next")])]
        finally:
            await link.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        first, second = runner.run(talk())
    assert [len(one) for one in first] == [3_000_000, 5]
    assert second == [b"next"]


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_flood_of_replies_does_not_keep_the_loop_to_itself(
    redis_server: RedisServer, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """As it comes to a gateway that has fallen behind: megabytes wait in its socket."""
    size, count = 16 * 1024, 1_000
    heard = Counter[int]()

    async def flood() -> None:
        loop, turn = asyncio.get_running_loop(), 0

        def count_turns() -> None:
            nonlocal turn
            turn += 1
            if heard.total() < count:
                loop.call_soon(count_turns)

        def note(reply: object) -> None:
            heard[turn] += 1

        wire = await Wire.dial(pool_of(redis_server.url, 2), note, lambda error: None, 2)
        try:
            wire.write([echo("x" * size)] * count)
            count_turns()
            await until(lambda: heard.total() == count)
        finally:
            wire.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(flood())
    # One read of a socket, by either loop, is 256 KiB at most.
    assert max(heard.values()) <= 256 * 1024 // size + 1
