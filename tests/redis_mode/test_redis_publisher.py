"""Batches without a timer: what leaves together, what waits, and when too much does."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import hiredis
import pytest

from wsgateway.errors import Overloaded, RedisUnavailable
from wsgateway.protocol import Status
from wsgateway.redis import publisher as module
from wsgateway.redis.link import Link
from wsgateway.redis.nodes import Nodes
from wsgateway.redis.publisher import Publisher
from wsgateway.redis.wire import Command


class Server:
    """A link, and all there is of nodes: what it is sent waits for the test to answer."""

    def __init__(self, sharded: bool = False) -> None:
        self.sharded = sharded
        self.calls: list[tuple[Sequence[Command], Any]] = []
        self.elsewhere: Server | None = None
        self.suspected = 0

    def call(self, commands: Sequence[Command], done: Any) -> None:
        self.calls.append((commands, done))

    def link_of(self, key: str) -> Link:
        return cast(Link, self)

    def redirected(self, why: str) -> Link | None:
        return cast(Link, self.elsewhere) if why.startswith("MOVED") else None

    def suspect(self) -> None:
        self.suspected += 1

    def sent(self) -> list[list[tuple[str, bytes]]]:
        return [[(str(c[1]), cast(bytes, c[2])) for c in commands] for commands, _ in self.calls]

    def answer(self, *replies: Any) -> None:
        _, done = self.calls.pop(0)
        done(list(replies))

    def fail(self) -> None:
        _, done = self.calls.pop(0)
        done(RedisUnavailable("gone"))


class Scene:
    def __init__(self, sharded: bool = False) -> None:
        self.server = Server(sharded)
        self.publisher = Publisher(cast(Nodes, self.server))
        self.publisher.start()
        self.fates: list[tuple[str, Status]] = []

    def put(self, channel: str, *envelopes: str) -> None:
        for one in envelopes:
            self.publisher.put(channel, one.encode(), partial(self.told, one))

    def told(self, envelope: str, status: Status) -> None:
        self.fates.append((envelope, status))


async def turn() -> None:
    await asyncio.sleep(0)


async def test_one_turn_of_the_loop_is_one_write_and_one_publish_per_channel() -> None:
    scene = Scene()
    scene.put("a", "1", "2")
    scene.put("b", "3")
    scene.put("a", "4")
    assert scene.server.calls == []
    await turn()
    assert scene.server.sent() == [[("a", b"1\n2\n4"), ("b", b"3")]]
    scene.server.answer(1, 0)
    assert scene.fates == [
        ("1", Status.ROUTED),
        ("2", Status.ROUTED),
        ("4", Status.ROUTED),
        ("3", Status.OFFLINE),
    ]
    assert (scene.publisher.envelopes, scene.publisher.publishes) == (4, 2)


async def test_what_comes_while_a_channel_is_busy_waits_for_it_and_for_no_other() -> None:
    scene = Scene()
    scene.put("a", "1")
    await turn()
    scene.put("a", "2", "3")
    scene.put("b", "4")
    await turn()
    assert scene.server.sent() == [[("a", b"1")], [("b", b"4")]]
    scene.server.answer(1)
    await turn()
    assert scene.server.sent() == [[("b", b"4")], [("a", b"2\n3")]]
    assert scene.publisher.waiting == 0


async def test_no_answer_is_unknown_for_all_that_was_under_way_and_for_nothing_else() -> None:
    scene = Scene()
    scene.put("a", "1", "2")
    await turn()
    scene.put("a", "3")
    scene.server.fail()
    assert scene.fates == [("1", Status.UNKNOWN), ("2", Status.UNKNOWN)]
    assert scene.server.suspected == 1
    await turn()
    scene.server.answer(1)
    assert scene.fates[-1] == ("3", Status.ROUTED)


async def test_a_channel_that_has_moved_is_sent_again_once_before_what_came_later() -> None:
    scene = Scene()
    scene.server.elsewhere = Server()
    scene.put("a", "1", "2")
    await turn()
    scene.put("a", "3")
    scene.server.answer(hiredis.ReplyError("MOVED 1 h:1"))
    await turn()
    assert scene.fates == []
    assert scene.server.elsewhere.sent() == [[("a", b"1\n2")]]
    scene.server.elsewhere.answer(hiredis.ReplyError("MOVED 1 h:1"))
    assert scene.fates == [("1", Status.UNKNOWN), ("2", Status.UNKNOWN)]
    await turn()
    assert scene.server.sent() == [[("a", b"3")]]


@pytest.mark.parametrize(
    ("check", "fate"),
    [
        (0, Status.OFFLINE),
        (hiredis.ReplyError("MOVED 1 h:1"), Status.UNKNOWN),
        (hiredis.ReplyError("NOPERM"), Status.UNKNOWN),
    ],
)
async def test_on_a_cluster_nobody_counts_only_if_the_owner_says_so(
    check: Any, fate: Status
) -> None:
    scene = Scene(sharded=True)
    scene.put("a", "1")
    await turn()
    scene.put("a", "2")
    scene.server.answer(0)
    await turn()
    assert [one for one, _ in scene.server.calls] == [[("EXISTS", "a")]], "what waits still waits"
    scene.server.answer(check)
    assert scene.fates == [("1", fate)]
    await turn()
    assert scene.server.sent() == [[("a", b"2")]]


async def test_a_payload_stays_far_below_what_redis_cuts_a_subscriber_off_for() -> None:
    scene = Scene()
    big = "x" * (600 << 10)
    scene.put("a", big, big, "small")
    await turn()
    assert [len(payload) for (_, payload), *_ in scene.server.sent()] == [len(big)]
    scene.server.answer(1)
    await turn()
    assert [len(payload) for (_, payload), *_ in scene.server.sent()] == [len(big) + 6]


async def test_bytes_under_way_are_bounded_and_none_is_forgotten() -> None:
    scene = Scene()
    for n in range(20):
        scene.put(f"c{n}", f"{n}" + "x" * (900 << 10))
    await turn()
    sent = scene.server.sent()[0]
    assert 4 <= len(sent) <= 6
    while scene.server.calls:
        scene.server.answer(*[1] * len(scene.server.calls[0][0]))
        await turn()
    assert [status for _, status in scene.fates] == [Status.ROUTED] * 20


async def test_too_much_is_refused_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    scene.put("a", "1", "2", "3")
    with pytest.raises(Overloaded):
        scene.put("a", "4")
    await turn()
    monkeypatch.setattr(module, "MAX_WAITING", 1_000)
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    scene.put("a", "5", "x" * 10)
    with pytest.raises(Overloaded):
        scene.put("b", "6")
    scene.server.answer(1)
    await turn()
    scene.put("b", "7")


async def test_stopping_leaves_the_fate_of_everything_unknown_once() -> None:
    scene = Scene()
    scene.put("a", "1")
    await turn()
    scene.put("a", "2")
    scene.publisher.stop()
    scene.publisher.stop()
    scene.put("a", "3")
    scene.server.answer(1)
    await turn()
    assert scene.fates == [(one, Status.UNKNOWN) for one in "123"]


async def test_a_fate_that_is_not_taken_in_costs_one_envelope() -> None:
    scene = Scene()
    scene.publisher.put("a", b"1", cast(Any, None))
    scene.put("a", "2")
    await turn()
    scene.server.answer(1)
    assert scene.fates == [("2", Status.ROUTED)]
