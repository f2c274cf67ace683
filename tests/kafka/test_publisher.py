"""Writing, on brokers that pause, die and forget: what is `accepted` is there, in order."""

import asyncio
import time

import pytest
from raw import until
from stage import Stage, accepted, by_key, numbered, silence, written

from wsgateway.brokers import ApacheKafka
from wsgateway.errors import BrokerUnavailable, KafkaUnavailable, Overloaded
from wsgateway.kafka import publisher as module
from wsgateway.kafka.publisher import MAX_ENVELOPE_BYTES, Publisher, Record
from wsgateway.protocol import Status

ENDS = {Status.ACCEPTED, Status.UNKNOWN, Status.OFFLINE}


async def test_under_load_each_key_keeps_its_order_and_nothing_is_missing(stage: Stage) -> None:
    topic = stage.topics.of("g1")
    await stage.make(topic)
    publisher = await stage.publisher()
    records = numbered(5_000, users=50)
    statuses = await asyncio.gather(*[written(publisher, topic, one) for one in records])
    assert set(statuses) == {Status.ACCEPTED}
    assert publisher.idempotent == stage.apache
    assert stage.counts.envelopes == 5_000
    assert stage.counts.batches == len(publisher.produce_s) < 100
    assert len(publisher) == 0
    found = by_key(await stage.read(topic, 5_000))
    assert found == {b"user-%d" % n: list(range(n, 5_000, 50)) for n in range(50)}


async def test_headers_and_keys_arrive_as_they_are(stage: Stage) -> None:
    topic = stage.topics.of("g1")
    await stage.make(topic)
    publisher = await stage.publisher()
    headers = (("reason", b"offline"), ("offset", b"7"))
    assert await written(publisher, topic, Record(b"bob", b"{}", headers)) is Status.ACCEPTED
    (record,) = await stage.read(topic, 1)
    assert (record.key, record.value, tuple(record.headers)) == (b"bob", b"{}", headers)
    assert abs(record.timestamp / 1000 - time.time()) < 60


async def test_a_topic_that_does_not_exist_is_offline_and_is_not_made(stage: Stage) -> None:
    publisher = await stage.publisher()
    topic = stage.topics.of("nobody")
    for record in numbered(3):
        assert await written(publisher, topic, record) is Status.OFFLINE
    assert topic not in await stage.catalog.names()
    assert stage.counts.envelopes == 0
    await stage.make(topic)
    assert await written(publisher, topic, Record(b"bob", b"now")) is Status.ACCEPTED


async def test_largest_envelope_and_one_byte_more(stage: Stage) -> None:
    topic = stage.topics.of("g1")
    await stage.make(topic)
    publisher = await stage.publisher()
    largest = [Record(b"bob", bytes(MAX_ENVELOPE_BYTES)) for _ in range(20)]
    statuses = await asyncio.gather(*[written(publisher, topic, one) for one in largest])
    assert set(statuses) == {Status.ACCEPTED}
    with pytest.raises(ValueError, match="more than"):
        written(publisher, topic, Record(b"bob", bytes(MAX_ENVELOPE_BYTES + 1)))


@pytest.mark.parametrize("partitions", [1, 7])
async def test_any_number_of_partitions_is_written_to(stage: Stage, partitions: int) -> None:
    topic = stage.topics.of("g1")
    await stage.make(topic, partitions)
    publisher = await stage.publisher()
    records = numbered(700, users=70)
    await asyncio.gather(*[written(publisher, topic, one) for one in records])
    found = await stage.read(topic, 700, partitions)
    assert {one.partition for one in found} == set(range(partitions))
    assert len(by_key(found)) == 70


async def test_what_one_topic_refuses_costs_the_others_nothing(
    apache_server: ApacheKafka, key_prefix: str
) -> None:
    """A broker that refuses a batch leaves a hole in the numbers an idempotent producer counts."""
    async with Stage(apache_server, key_prefix) as stage:
        small, other = stage.topics.of("small"), stage.topics.of("other")
        await stage.make(small, max_message_bytes="1000")
        await stage.make(other)
        publisher = await stage.publisher()
        assert await written(publisher, small, Record(b"bob", bytes(2_000))) is Status.UNKNOWN
        for topic in (other, small):
            async with asyncio.timeout(10):
                while await written(publisher, topic, Record(b"bob", b"1")) is Status.UNKNOWN:
                    pass
            assert await written(publisher, topic, Record(b"bob", b"2")) is Status.ACCEPTED
            assert by_key(await stage.read(topic, 2))[b"bob"][-2:] == [1, 2]


async def test_a_topic_deleted_under_load_ends_offline_and_works_again_when_made_again(
    apache_server: ApacheKafka, key_prefix: str
) -> None:
    """Tansu goes on writing to a topic that is gone, so only Apache Kafka can tell."""
    async with Stage(apache_server, key_prefix) as stage:
        topic = stage.topics.of("g1")
        await stage.make(topic)
        publisher = await stage.publisher(timeout_s=1.0)
        flood = [written(publisher, topic, one) for one in numbered(3_000, users=9)]
        await stage.delete(topic)
        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*flood)) <= ENDS
            while await written(publisher, topic, Record(b"bob", b"-1")) is not Status.OFFLINE:
                pass
            await stage.make(topic)
            while await written(publisher, topic, Record(b"bob", b"0")) is not Status.ACCEPTED:
                pass
        later = [written(publisher, topic, Record(b"bob", b"%d" % n)) for n in range(1, 100)]
        assert set(await asyncio.gather(*later)) == {Status.ACCEPTED}
        found = by_key(await stage.read(topic, 100))
    assert found[b"bob"][-100:] == list(range(100))


async def test_a_paused_broker_makes_unknown_and_later_writes_stay_in_order(
    own_stage: Stage,
) -> None:
    topic = own_stage.topics.of("g1")
    await own_stage.make(topic)
    publisher = await own_stage.publisher(timeout_s=0.5)
    records = numbered(3_000, users=7)
    own_statuses = [await written(publisher, topic, one) for one in records[:7]]
    await silence(own_stage.kafka)
    while_paused = [written(publisher, topic, one) for one in records[7:2_000]]
    began_s = time.monotonic()
    own_statuses += await asyncio.gather(*while_paused)
    assert time.monotonic() - began_s < 5
    assert Status.UNKNOWN in own_statuses
    own_stage.kafka.resume()
    for record in records[2_000:]:
        own_statuses.append(await written(publisher, topic, record))
    held = accepted(own_statuses)
    assert 2_999 in held
    found = by_key(await own_stage.read(topic, len(held)))
    for numbers in found.values():
        assert numbers == sorted(set(numbers)), "a retry overtook, or came twice"
    assert set(held) <= {number for numbers in found.values() for number in numbers}


async def test_an_apache_killed_under_load_loses_nothing_accepted_and_repeats_nothing(
    apache_installed: None, key_prefix: str
) -> None:
    with ApacheKafka() as kafka:
        async with Stage(kafka, key_prefix) as stage:
            topic = stage.topics.of("g1")
            await stage.make(topic)
            publisher = await stage.publisher(timeout_s=10.0)
            records = numbered(6_000, users=9)
            writing: list[asyncio.Future[Status]] = []

            async def load() -> None:
                for record in records:
                    writing.append(written(publisher, topic, record))
                    if record.value.endswith(b"00"):
                        await writing[-1]

            loading = asyncio.create_task(load())
            await until(lambda: stage.counts.envelopes > 1_000)
            await asyncio.to_thread(kafka.restart)
            await loading
            held = accepted(await asyncio.gather(*writing))
            assert len(held) > 5_000
            found = by_key(await stage.read(topic, len(held)))
    for numbers in found.values():
        assert numbers == sorted(set(numbers))
    assert set(held) <= {number for numbers in found.values() for number in numbers}


async def test_closing_while_the_broker_is_dead_is_bounded(own_stage: Stage) -> None:
    topic = own_stage.topics.of("g1")
    await own_stage.make(topic)
    publisher = await own_stage.publisher(timeout_s=60.0)
    own_stage.kafka.kill()
    waiting = [written(publisher, topic, one) for one in numbered(2_000)]
    async with asyncio.timeout(10):
        await publisher.aclose()
        await publisher.aclose()
    for one in await asyncio.gather(*waiting, return_exceptions=True):
        assert one is Status.UNKNOWN or isinstance(one, BrokerUnavailable)
    with pytest.raises(KafkaUnavailable):
        await written(publisher, topic, Record(b"bob", b"late"))
    own_stage.kafka.restart()


async def test_more_than_may_wait_is_refused(
    own_tansu: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 10)
    one, two = own_tansu.topics.of("g1"), own_tansu.topics.of("g2")
    await own_tansu.make(one)
    await own_tansu.make(two)
    publisher = await own_tansu.publisher(timeout_s=0.5)
    await silence(own_tansu.kafka)
    waiting = [written(publisher, (one, two)[n % 2], Record(b"bob", b"%d" % n)) for n in range(10)]
    for topic in (one, two, own_tansu.topics.of("g3")):
        with pytest.raises(Overloaded):
            written(publisher, topic, Record(b"bob", b"too much"))
    own_tansu.kafka.resume()
    await asyncio.gather(*waiting)
    assert await written(publisher, one, Record(b"bob", b"11")) is Status.ACCEPTED


async def test_before_start_and_with_a_dead_broker_it_says_so(own_tansu: Stage) -> None:
    publisher = Publisher(own_tansu.link, own_tansu.catalog, own_tansu.counts, timeout_s=1)
    with pytest.raises(KafkaUnavailable, match="not running"):
        await written(publisher, "any", Record(b"", b""))
    own_tansu.kafka.kill()
    with pytest.raises(KafkaUnavailable) as said:
        await publisher.start()
    assert "\n" not in str(said.value)
    await publisher.aclose()
    own_tansu.kafka.restart()
