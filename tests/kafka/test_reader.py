"""One gateway's topic from a real broker, with everything in it that should not be there."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

import msgspec
import pytest
from raw import until
from stage import Stage

from wsgateway import envelope, tasks
from wsgateway.brokers import ApacheKafka
from wsgateway.envelope import Carried
from wsgateway.fate import Fate, Kept
from wsgateway.kafka import intake
from wsgateway.kafka.publisher import Record, Written
from wsgateway.kafka.reader import Reader, ReaderSettings
from wsgateway.kafka.topics import PARTITIONS

GOOD = envelope.encode(Carried("bob", "alice", "g2", msgspec.Raw(b'{"type":"message"}')))


class Gateway:
    """Takes envelopes as a gateway does; users come and go as told.

    Args:
        fate: what becomes of an envelope; None: told later, by `tell`.
    """

    def __init__(self, fate: Callable[[bytes], Fate | None] = lambda data: Fate.DONE) -> None:
        self.fate = fate
        self.arrived: list[bytes] = []
        self.waiting: deque[tuple[bytes, Kept]] = deque()

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        assert kept is not None
        fate = self.fate(data) if kept.wanted() else Fate.UNKNOWN
        if fate is None:
            self.waiting.append((data, kept))
            return
        if fate is Fate.DONE:
            self.arrived.append(data)
        kept.settle(fate)


def honest(data: bytes) -> Fate:
    """What a gateway makes of an envelope when all users are there."""
    try:
        envelope.decode(data)
    except ValueError:
        return Fate.MALFORMED
    return Fate.DONE


async def reader_of(
    stage: Stage, gateway: Gateway, *, patience_s: float = 60.0, expiry_s: float = 600.0
) -> Reader:
    """A reader of g1's topic, not started; the topics are made."""
    for topic, count in ((stage.topics.of("g1"), PARTITIONS), (stage.topics.dead_letters, 1)):
        if topic not in await stage.catalog.names():
            await stage.make(topic, count)
    return Reader(
        stage.link,
        stage.topics,
        await stage.publisher(),
        "g1",
        PARTITIONS,
        gateway,
        stage.counts,
        addressee=None,
        settings=ReaderSettings(
            fetch_wait_s=stage.fetch_wait_s, watch_s=0.1, patience_s=patience_s, expiry_s=expiry_s
        ),
    )


async def crashed(reader: Reader) -> None:
    """End `reader` as a SIGKILL would: nothing more is committed."""
    await tasks.end(*reader._tasks)
    await reader.tail.aclose()


async def test_what_does_not_belong_there_is_buried_and_the_stream_goes_on(stage: Stage) -> None:
    gateway = Gateway(honest)
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    bad: list[bytes] = [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"{" * 5_000,
        b'{"kind":"nonsense"}',
        b'{"kind":"message","to":"bob"}',
        b'{"kind":"message","to":7,"from":"a","origin":"g2","frame":{}}',
        GOOD[:-1],
    ]
    async with reader:
        for value in bad:
            await stage.write(topic, value, GOOD, key=b"bob", partition=0)
        await stage.write(topic, None, GOOD, key=b"\x00\xff not a user", partition=0)
        await stage.write(topic, GOOD, key=None, partition=0)
        await until(lambda: reader.caught_up and len(gateway.arrived) == len(bad) + 2)
    assert (await stage.committed(topic))[0] == 2 * len(bad) + 3
    dead = await stage.read(stage.topics.dead_letters, len(bad) + 1, 1)
    assert [one.value for one in dead] == [*bad, b""]
    for n, one in enumerate(dead):
        headers = dict(one.headers)
        assert headers["reason"] == b"malformed"
        assert headers["gateway"] == b"g1"
        assert (headers["partition"], int(headers["offset"])) == (b"0", 2 * n)
    assert stage.counts.dead_letters == len(dead)


async def test_two_megabytes_are_too_big_and_the_stream_goes_on(stage: Stage) -> None:
    gateway = Gateway(honest)
    topic, huge = stage.topics.of("g1"), bytes(2 << 20)
    if stage.apache:
        await stage.make(topic, max_message_bytes=str(4 << 20))
    async with await reader_of(stage, gateway) as reader:
        await stage.write(topic, GOOD, partition=0)
        await stage.write(topic, huge, key=b"bob", partition=0)
        await stage.write(topic, b"{}", key=bytes(900 << 10), partition=0)
        await stage.write(topic, GOOD, partition=0)
        await until(lambda: reader.caught_up and len(gateway.arrived) == 2)
    assert (await stage.committed(topic))[0] == 4
    value, key = await stage.read(stage.topics.dead_letters, 2, 1)
    assert (value.key, value.value, key.key, key.value) == (b"bob", b"", bytes(64), b"")
    assert [dict(one.headers)["reason"] for one in (value, key)] == [b"too_big"] * 2
    assert int(dict(value.headers)["bytes"]) == len(huge) + 3


async def test_a_slow_user_holds_the_commit_and_nobody_else(stage: Stage) -> None:
    gateway = Gateway(lambda data: None if data == b"slow" else Fate.DONE)
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    async with reader:
        await stage.write(topic, b"before", key=b"bob", partition=0)
        await stage.write(topic, b"slow", key=b"alice", partition=0)
        await stage.write(topic, *[b"%d" % n for n in range(1_000)], key=b"bob", partition=0)
        await until(lambda: len(gateway.arrived) == 1_001)
        assert gateway.arrived == [b"before", *[b"%d" % n for n in range(1_000)]]
        await until(lambda: reader.intake.uncommitted() == {})
        assert (await stage.committed(topic))[0] == 1
        assert not reader.caught_up
        gateway.waiting.popleft()[1].settle(Fate.DONE)
        await until(lambda: reader.caught_up)
    assert (await stage.committed(topic))[0] == 1_002


async def test_who_comes_back_gets_everything_in_order(stage: Stage) -> None:
    here = False
    gateway = Gateway(lambda data: Fate.DONE if here else Fate.OFFLINE)
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    async with reader:
        await stage.write(topic, *[b"%d" % n for n in range(500)], partition=0)
        await until(lambda: reader.intake.held == 500)
        here = True
        await stage.write(topic, *[b"%d" % n for n in range(500, 600)], partition=0)
        # Caught up with what was there when last looked: that may have been the first 500.
        await until(lambda: len(gateway.arrived) >= 600)
        await until(lambda: reader.caught_up)
    assert gateway.arrived == [b"%d" % n for n in range(600)]
    assert stage.counts.dead_letters == 0


async def test_who_does_not_come_back_ends_in_the_dead_letters(stage: Stage) -> None:
    gateway = Gateway(lambda data: Fate.OFFLINE)
    reader = await reader_of(stage, gateway, patience_s=0.5)
    async with reader:
        await stage.write(stage.topics.of("g1"), b"one", b"two", partition=2)
        await until(lambda: reader.caught_up and stage.counts.dead_letters == 2)
    dead = await stage.read(stage.topics.dead_letters, 2, 1)
    assert [(one.key, one.value) for one in dead] == [(b"alice", b"one"), (b"alice", b"two")]
    assert {dict(one.headers)["reason"] for one in dead} == {b"offline"}


async def test_what_is_too_old_expires_and_is_counted(stage: Stage) -> None:
    gateway = Gateway()
    reader = await reader_of(stage, gateway, expiry_s=60)
    topic = stage.topics.of("g1")
    await stage.write(topic, b"old", partition=0, timestamp_ms=1)
    await stage.write(topic, b"new", partition=0)
    async with reader:
        await until(lambda: reader.caught_up)
    assert gateway.arrived == [b"new"]
    assert (stage.counts.expired, stage.counts.dead_letters) == (1, 0)


async def test_reading_pauses_when_too_much_is_open_and_goes_on_afterwards(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_OPEN", 100)
    gateway = Gateway(lambda data: None)
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    await stage.write(topic, *[b"%d" % n for n in range(3_000)], partition=0)
    async with reader:
        await until(lambda: len(gateway.waiting) >= 100)
        taken = len(gateway.waiting)
        assert taken <= 100 + 500, "one read may be under way"
        looks = reader.tail._seen
        await until(lambda: reader.tail._seen is not looks)
        looks = reader.tail._seen
        await until(lambda: reader.tail._seen is not looks)
        assert len(gateway.waiting) == taken
        assert stage.counts.stalls == 0, "our own pause is none"
        gateway.fate = lambda data: Fate.DONE
        while gateway.waiting:
            data, kept = gateway.waiting.popleft()
            gateway.arrived.append(data)
            kept.settle(Fate.DONE)
        await until(lambda: reader.caught_up and len(gateway.arrived) == 3_000)
    assert gateway.arrived == [b"%d" % n for n in range(3_000)]


async def test_after_a_crash_what_was_not_committed_comes_again(stage: Stage) -> None:
    gateway = Gateway()
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    await reader.start()
    await stage.write(topic, *[b"%d" % n for n in range(100)], partition=1)
    await until(lambda: len(gateway.arrived) == 100 and reader.caught_up)
    gateway.fate = lambda data: None
    await stage.write(topic, *[b"%d" % n for n in range(100, 200)], partition=1)
    await until(lambda: len(gateway.waiting) == 100)
    for data, kept in list(gateway.waiting)[1:]:  # all but the first are delivered
        gateway.arrived.append(data)
        kept.settle(Fate.DONE)
    await crashed(reader)
    assert stage.counts.replayed == 0
    again = Gateway()
    async with await reader_of(stage, again) as successor:
        await until(lambda: successor.caught_up)
    assert again.arrived == [b"%d" % n for n in range(100, 200)]
    assert stage.counts.replayed == 100
    assert set(Counter(gateway.arrived + again.arrived).values()) == {1, 2}


async def test_closing_commits_what_is_settled(stage: Stage) -> None:
    gateway = Gateway()
    topic = stage.topics.of("g1")
    reader = await reader_of(stage, gateway)
    await reader.start()
    await stage.write(topic, *[b"%d" % n for n in range(50)], partition=0)
    await until(lambda: len(gateway.arrived) == 50)
    await reader.aclose()
    await reader.aclose()
    assert (await stage.committed(topic))[0] == 50


async def test_while_dead_letters_cannot_be_written_nothing_past_them_is_committed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_BURY_AGAIN_S", 0.05)
    gateway = Gateway(honest)
    reader = await reader_of(stage, gateway)
    topic = stage.topics.of("g1")
    asked = 0
    publish = reader.intake._publisher.publish

    def refuse(to: str, record: Record, done: Callable[[Written], None]) -> None:
        nonlocal asked
        asked += 1
        publish(stage.topics.of("nobody"), record, done)

    monkeypatch.setattr(reader.intake._publisher, "publish", refuse)
    async with reader:
        await stage.write(topic, GOOD, b"garbage", GOOD, partition=0)
        await until(lambda: asked >= 3 and reader.intake.uncommitted() == {})
        assert len(gateway.arrived) == 2
        assert (await stage.committed(topic))[0] == 1
        monkeypatch.setattr(reader.intake._publisher, "publish", publish)
        await until(lambda: reader.caught_up)
    assert (await stage.committed(topic))[0] == 3
    (dead,) = await stage.read(stage.topics.dead_letters, 1, 1)
    assert dead.value == b"garbage"


async def test_an_apache_that_dies_and_returns_costs_nothing(
    apache_installed: None, key_prefix: str
) -> None:
    with ApacheKafka() as kafka:
        async with Stage(kafka, key_prefix, timeout_s=2.0) as stage:
            gateway = Gateway(lambda data: None if data == b"garbage" else Fate.DONE)
            topic = stage.topics.of("g1")
            async with await reader_of(stage, gateway) as reader:
                await stage.write(topic, *[b"%d" % n for n in range(100)], partition=0)
                await stage.write(topic, b"garbage", partition=1)
                await until(lambda: len(gateway.arrived) == 100 and gateway.waiting)
                await asyncio.to_thread(kafka.kill)
                gateway.waiting.popleft()[1].settle(Fate.MALFORMED)
                await until(lambda: reader.tail.failure)
                await asyncio.to_thread(kafka.restart)
                await stage.write(topic, *[b"%d" % n for n in range(100, 200)], partition=0)
                await until(lambda: len(gateway.arrived) == 200 and reader.caught_up)
                assert reader.failed is None
                assert reader.tail.failure is None
            assert await stage.committed(topic) == {0: 200, 1: 1, 2: None}
            dead = await stage.read(stage.topics.dead_letters, 1, 1)
            assert stage.counts.dead_letters == 1
    assert {one.value for one in dead} == {b"garbage"}, "perhaps twice: the first was unknown"
    assert gateway.arrived == [b"%d" % n for n in range(200)]
