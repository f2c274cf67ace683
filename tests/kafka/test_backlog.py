"""Lag: what is in a topic and not committed, as the broker counts it."""

from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from stage import Stage

from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.backlog import Backlog, PartitionLag


@pytest.mark.parametrize(
    ("begin", "end", "committed", "lag"),
    [
        (0, 0, None, 0),
        (0, 7, None, 7),
        (0, 7, 3, 4),
        (0, 7, 7, 0),
        (5, 7, None, 2),  # the first five were deleted for their age
        (5, 7, 3, 2),
        (0, 7, 1_000, 0),  # a commit of an earlier topic of this name
    ],
)
def test_the_arithmetic(begin: int, end: int, committed: int | None, lag: int) -> None:
    assert PartitionLag(begin, end, committed).lag == lag


async def test_it_follows_what_is_written_and_committed(stage: Stage) -> None:
    topic = stage.topics.of("g1")
    await stage.make(topic)
    async with Backlog(stage.link, stage.topics.group) as backlog:
        assert await backlog.of(topic, 3) == {n: PartitionLag(0, 0, None) for n in range(3)}
        await stage.write(topic, *[b"{}"] * 10, partition=1)
        assert (await backlog.of(topic, 3))[1] == PartitionLag(0, 10, None)
        await stage.commit(topic, {1: 4, 2: 0})
        assert await backlog.of(topic, 3) == {
            0: PartitionLag(0, 0, None),
            1: PartitionLag(0, 10, 4),
            2: PartitionLag(0, 0, 0),
        }
        await stage.write(topic, *[b"{}"] * 5, partition=1)
        assert (await backlog.of(topic, 3))[1].lag == 11


async def test_it_reads_many_topics_one_after_another(stage: Stage) -> None:
    async with Backlog(stage.link, stage.topics.group) as backlog:
        for n in range(5):
            topic = stage.topics.of(f"g{n}")
            await stage.make(topic)
            await stage.write(topic, *[b"{}"] * n, partition=0)
            assert (await backlog.of(topic, 3))[0].lag == n


async def test_a_dead_broker_is_said_and_a_closed_backlog_too(own_tansu: Stage) -> None:
    topic = own_tansu.topics.of("g1")
    await own_tansu.make(topic)
    backlog = Backlog(own_tansu.link, own_tansu.topics.group)
    await backlog.start()
    own_tansu.kafka.kill()
    with pytest.raises(KafkaUnavailable) as said:
        await backlog.of(topic, 3)
    assert "\n" not in str(said.value)
    await backlog.aclose()
    await backlog.aclose()
    with pytest.raises(KafkaUnavailable, match="not connected"):
        await backlog.of(topic, 3)
    own_tansu.kafka.restart()


async def test_many_unknown_topics_are_one_question_about_where_they_are(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asks about each by itself, 100 ms apart, unless they are assigned to it."""
    topics = {stage.topics.of(f"gone-{n}"): 3 for n in range(20)}
    for topic in topics:
        await stage.make(topic)
    asked = 0
    ask = AIOKafkaClient._metadata_update

    async def count(self: AIOKafkaClient, *args: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(self, *args)

    async with Backlog(stage.link, stage.topics.group) as backlog:
        monkeypatch.setattr(AIOKafkaClient, "_metadata_update", count)
        assert await backlog.ends(topics) == dict.fromkeys(topics, (0, 0, 0))
        assert 0 < asked < 10
