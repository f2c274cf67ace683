"""Following a topic through stalls, pauses, deaths and a topic that is not the one it was."""

import asyncio
import logging
import time

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from raw import PATIENCE_S
from stage import Kafka, Stage, silence

from wsgateway.brokers import ApacheKafka, TansuServer
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka import link
from wsgateway.kafka.link import assigned
from wsgateway.kafka.tail import Tail


def tail_of(stage: Stage, topic: str, *, grouped: bool = True, partitions: int = 3) -> Tail:
    return Tail(
        stage.link,
        assigned(topic, partitions),
        stage.counts,
        group=stage.topics.group if grouped else None,
        fetch_wait_s=stage.fetch_wait_s,
    )


async def read(tail: Tail, count: int) -> list[ConsumerRecord]:
    """Read until `count` records have come."""
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(records) < count:
            records += await tail.next()
    return records


def numbers(records: list[ConsumerRecord]) -> list[int]:
    return [int(record.value) for record in records]


async def filled(stage: Stage, count: int, partitions: int = 3) -> str:
    """A topic with the records `0`, `1`, ..., over all partitions in turn."""
    topic = stage.topics.of("g1")
    await stage.make(topic, partitions)
    for partition in range(partitions):
        values = [b"%d" % n for n in range(partition, count, partitions)]
        await stage.write(topic, *values, partition=partition)
    return topic


async def test_without_a_commit_it_begins_at_the_start(stage: Stage) -> None:
    topic = await filled(stage, 30)
    tail = tail_of(stage, topic)
    await tail.start()
    assert tail.positions == {0: 0, 1: 0, 2: 0}
    assert tail.replay_until == tail.ends == tail.lag == {0: 10, 1: 10, 2: 10}
    assert sorted(numbers(await read(tail, 30))) == list(range(30))
    assert tail.lag == {0: 0, 1: 0, 2: 0}
    await tail.aclose()


async def test_it_begins_where_the_last_one_committed(stage: Stage) -> None:
    topic = await filled(stage, 30)
    first = tail_of(stage, topic)
    await first.start()
    await read(first, 30)
    await first.commit({0: 4, 2: 10})
    await first.aclose()
    second = tail_of(stage, topic)
    await second.start()
    assert second.positions == {0: 4, 1: 0, 2: 10}
    assert second.lag == {0: 6, 1: 10, 2: 0}
    again = sorted(numbers(await read(second, 16)))
    assert again == sorted([*range(12, 30, 3), *range(1, 30, 3)])
    await second.aclose()


async def test_without_a_group_it_begins_at_the_end_and_never_commits(stage: Stage) -> None:
    topic = await filled(stage, 30)
    tail = tail_of(stage, topic, grouped=False)
    await tail.start()
    assert tail.positions == tail.ends == {0: 10, 1: 10, 2: 10}
    await stage.write(topic, b"30", partition=1)
    assert numbers(await read(tail, 1)) == [30]
    await tail.aclose()
    assert set((await stage.committed(topic)).values()) == {None}


async def test_a_commit_beyond_the_end_is_of_an_earlier_topic_and_the_start_counts(
    stage: Stage,
) -> None:
    topic = await filled(stage, 30)
    await stage.commit(topic, {0: 1_000, 1: 10, 2: 0})
    tail = tail_of(stage, topic)
    await tail.start()
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(seen) < 20:
            seen += numbers(await tail.next())
            await tail.look(reading=True)
    assert sorted(seen) == [n for n in range(30) if n % 3 != 1]
    assert tail.positions == {0: 10, 1: 10, 2: 10}
    for _ in range(4):
        await tail.next()
        await tail.look(reading=True)
    assert tail.lag == {0: 0, 1: 0, 2: 0}
    assert stage.counts.stalls == 0
    await tail.aclose()


async def test_a_tansu_that_came_back_empty_is_read_from_its_start(key_prefix: str) -> None:
    with TansuServer() as kafka:
        async with Stage(kafka, key_prefix, timeout_s=2.0) as stage:
            tail = tail_of(stage, await filled(stage, 30))
            await tail.start()
            await read(tail, 30)
            kafka.restart()
            async with Stage(kafka, key_prefix) as anew:
                await filled(anew, 6)
            seen: list[int] = []
            async with asyncio.timeout(PATIENCE_S):
                while len(seen) < 6:
                    seen += numbers(await tail.next())
                    await tail.look(reading=True)
            assert sorted(seen) == list(range(6))
            # Tansu makes a topic that somebody asks about, with as many partitions as it likes:
            # here the tail's own question may come before the topic is made anew.
            assert set(tail.lag.values()) == {0}
            await tail.aclose()


async def test_a_consumer_that_stands_still_is_replaced_and_nothing_is_skipped(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    topic = await filled(stage, 30)
    tail = tail_of(stage, topic)
    await tail.start()
    seen = numbers(await read(tail, 30))
    assert tail._consumer is not None
    tail._consumer.pause(*assigned(topic, 3))  # as after a broker's pause: alive, and silent
    await stage.write(topic, *[b"%d" % n for n in range(30, 40)], partition=0)
    await tail.look(reading=True)
    assert await tail.next() == []
    assert stage.counts.stalls == 0, "one look is not enough"
    with caplog.at_level(logging.WARNING):
        while not stage.counts.stalls:
            assert await tail.next() == []
            await tail.look(reading=True)
    assert "stalled" in caplog.text
    seen += numbers(await read(tail, 10))
    assert sorted(seen) == list(range(40))
    for _ in range(4):
        await tail.look(reading=True)
    assert stage.counts.stalls == 1
    await tail.aclose()


async def test_who_does_not_read_does_not_stall(stage: Stage) -> None:
    topic = await filled(stage, 30)
    tail = tail_of(stage, topic)
    await tail.start()
    for _ in range(5):
        await tail.look(reading=False)
    assert stage.counts.stalls == 0
    assert len(await read(tail, 30)) == 30
    await tail.aclose()


async def test_a_slow_but_moving_reader_does_not_stall(stage: Stage) -> None:
    topic = await filled(stage, 3_000)
    tail = tail_of(stage, topic)
    await tail.start()
    for _ in range(4):  # 500 at a time
        await tail.next()
        await tail.look(reading=True)
    assert any(tail.lag.values())
    assert stage.counts.stalls == 0
    await tail.aclose()


async def test_a_new_record_may_be_on_its_way_when_looked_at(stage: Stage) -> None:
    """Each look sees a record that was not read yet, but every time another one."""
    topic = await filled(stage, 3)
    tail = tail_of(stage, topic)
    await tail.start()
    await read(tail, 3)
    for n in range(3, 9):
        await stage.write(topic, b"%d" % n, partition=0)
        await tail.look(reading=True)
        assert numbers(await read(tail, 1)) == [n]
    assert stage.counts.stalls == 0
    await tail.aclose()


async def test_partitions_that_are_added_are_read_too(
    apache_server: ApacheKafka, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_METADATA_MAX_AGE_MS", 300)
    async with Stage(apache_server, key_prefix) as stage:
        topic = await filled(stage, 30)
        tail = tail_of(stage, topic)
        await tail.start()
        seen = numbers(await read(tail, 30))
        await stage.widen(topic, 5)
        async with Stage(apache_server, key_prefix) as informed:
            await informed.write(topic, b"30", partition=3)
            await informed.write(topic, b"31", partition=4)
        while len(seen) < 32:
            await tail.look(reading=True)
            seen += numbers(await tail.next())
        await stage.write(topic, b"32", partition=0)
        seen += numbers(await read(tail, 1))
        assert seen[-3:] in ([30, 31, 32], [31, 30, 32])
        await tail.commit({0: 11, 3: 1, 4: 1})
        await tail.aclose()
        assert await stage.committed(topic, 5) == {0: 11, 1: None, 2: None, 3: 1, 4: 1}


async def test_marks_of_transactions_are_no_stall(
    apache_server: ApacheKafka, key_prefix: str
) -> None:
    async with Stage(apache_server, key_prefix) as stage:
        topic = await filled(stage, 3)
        async with (
            AIOKafkaProducer(
                bootstrap_servers=apache_server.address, transactional_id=key_prefix
            ) as other,
            other.transaction(),
        ):
            await other.send(topic, b"3", partition=0)
        tail = tail_of(stage, topic)
        await tail.start()
        assert sorted(numbers(await read(tail, 4))) == list(range(4))
        for _ in range(4):
            await tail.next()
            await tail.look(reading=True)
        assert stage.counts.stalls == 0
        assert tail.lag == {0: 0, 1: 0, 2: 0}
        await stage.write(topic, b"4", partition=0)
        assert numbers(await read(tail, 1)) == [4]
        await tail.aclose()


async def test_a_paused_broker_costs_nothing_but_time(own_stage: Stage) -> None:
    topic = await filled(own_stage, 30)
    tail = tail_of(own_stage, topic)
    await tail.start()
    seen = numbers(await read(tail, 30))
    await silence(own_stage.kafka)
    assert await tail.next() == []
    await tail.look(reading=True)
    assert tail.failure is not None
    assert "\n" not in tail.failure
    own_stage.kafka.resume()
    await own_stage.write(topic, *[b"%d" % n for n in range(30, 60)], partition=1)
    seen += numbers(await read(tail, 30))
    assert sorted(seen) == list(range(60))
    await tail.look(reading=True)
    assert tail.failure is None
    await tail.aclose()


async def test_a_killed_apache_costs_nothing_but_time(
    apache_installed: None, key_prefix: str
) -> None:
    with ApacheKafka() as kafka:
        async with Stage(kafka, key_prefix, timeout_s=3.0) as stage:
            topic = await filled(stage, 30)
            tail = tail_of(stage, topic)
            await tail.start()
            seen = numbers(await read(tail, 30))
            reading = asyncio.create_task(read(tail, 10))
            await asyncio.to_thread(kafka.restart)
            await stage.write(topic, *[b"%d" % n for n in range(30, 40)], partition=1)
            seen += numbers(await reading)
            assert sorted(seen) == list(range(40))
            await tail.commit({1: 20})
            await tail.aclose()
            assert (await stage.committed(topic))[1] == 20


async def test_closing_and_committing_while_the_broker_is_silent_is_bounded(
    own_stage: Stage,
) -> None:
    topic = await filled(own_stage, 30)
    tail = tail_of(own_stage, topic)
    await tail.start()
    await read(tail, 30)
    await silence(own_stage.kafka)
    began_s = time.monotonic()
    with pytest.raises(KafkaUnavailable):
        await tail.commit({0: 10})
    await tail.aclose()
    await tail.aclose()
    assert time.monotonic() - began_s < 8
    with pytest.raises(KafkaUnavailable, match="not connected"):
        await tail.commit({0: 10})
    own_stage.kafka.resume()


async def test_a_deleted_topic_is_said_and_its_successor_is_read(
    apache_server: ApacheKafka, key_prefix: str
) -> None:
    async with Stage(apache_server, key_prefix, timeout_s=1.0) as stage:
        topic = await filled(stage, 30)
        tail = tail_of(stage, topic)
        await tail.start()
        await read(tail, 30)
        await stage.delete(topic)
        began_s = time.monotonic()
        with pytest.raises(KafkaUnavailable):
            await tail.commit({0: 10})
        while tail.failure is None:
            assert await tail.next() == []
            await tail.look(reading=True)
        assert time.monotonic() - began_s < 10
        await filled(stage, 6)
        assert sorted(numbers(await read(tail, 6))) == list(range(6))
        await tail.look(reading=True)
        assert tail.failure is None
        assert tail.lag == {0: 0, 1: 0, 2: 0}
        await tail.commit({0: 2})
        await tail.aclose()
        assert (await stage.committed(topic))[0] == 2


async def test_commits_while_its_consumer_is_replaced_end_in_one_way_or_the_other(
    kafka_server: Kafka, key_prefix: str
) -> None:
    """A commit may fail then, and only as `KafkaUnavailable`: another exception ends the reader."""
    async with Stage(kafka_server, key_prefix, timeout_s=1.0) as stage:
        topic = await filled(stage, 30)
        tail = tail_of(stage, topic)
        await tail.start()
        await read(tail, 30)
        ended = asyncio.Event()

        async def keep_committing() -> None:
            while not ended.is_set():
                try:
                    await tail.commit({0: 10})
                    await tail.look(reading=True)
                except KafkaUnavailable:
                    await asyncio.sleep(0)

        committing = [asyncio.create_task(keep_committing()) for _ in range(3)]
        for n in range(30, 60):
            tail._stale = True
            await stage.write(topic, b"%d" % n, partition=0)
            assert numbers(await read(tail, 1)) == [n]
        ended.set()
        await asyncio.gather(*committing)
        await tail.aclose()


async def test_a_dead_broker_is_said_when_it_starts(own_tansu: Stage) -> None:
    topic = await filled(own_tansu, 3)
    own_tansu.kafka.kill()
    tail = tail_of(own_tansu, topic)
    with pytest.raises(KafkaUnavailable) as said:
        await tail.start()
    assert "\n" not in str(said.value)
    await tail.aclose()
    own_tansu.kafka.restart()
