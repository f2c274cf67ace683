"""What gateways keep in Kafka: topics, commits and dead letters. Reads, and commits nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from wsgateway import envelope as wire
from wsgateway.envelope import Carried
from wsgateway.inspect.facts import LetterFact, PartitionFact, TopicFact
from wsgateway.kafka.backlog import PartitionLag
from wsgateway.kafka.bounds import bounds
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.topics import Topics
from wsgateway.protocol import Delivery

_POLL_MS = 200
_FETCH_WAIT_S = 0.1
_frame_of = msgspec.json.Decoder(Delivery).decode


class KafkaView:
    """Reads topics.

    Args:
        link: where the brokers are.
        topics: names.
    """

    def __init__(self, link: KafkaLink, topics: Topics) -> None:
        self._link = link
        self._topics = topics

    async def topics(self) -> list[TopicFact]:
        """Return all topics of the gateways, sorted, with the two they share at the end.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        shared = (self._topics.broadcast, self._topics.dead_letters)
        async with Catalog(self._link) as catalog:
            there = await catalog.names()
            wanted = sorted(name for name in there if self._topics.gateway_of(name) is not None)
            wanted += [name for name in shared if name in there]
            sizes = {name: await catalog.partitions(name) for name in wanted}
        return await self._described(sizes) if sizes else []

    async def letters(self, last: int, *, with_content: bool) -> tuple[int, list[LetterFact]]:
        """Return how many dead letters there are, and the newest, oldest first.

        Args:
            last: how many at most.
            with_content: read what they say, too.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        name = self._topics.dead_letters
        async with Catalog(self._link) as catalog:
            if name not in await catalog.names():
                return 0, []
            partitions = assigned(name, await catalog.partitions(name))
        total = 0
        letters: list[LetterFact] = []
        async with self._consumer(None) as consumer:
            async with self._link.answered():
                begins, ends = await bounds(consumer, partitions)
            for one in partitions:
                total += ends[one] - begins[one]
                start = max(begins[one], ends[one] - last)
                async for record in self._read(consumer, one, start, ends[one]):
                    letters.append(_letter(record, with_content))
        if len(partitions) > 1:  # by hand: gateways make it with one, in order as it is
            letters.sort(key=lambda letter: letter.time_ms)
        return total, letters[-last:]

    async def _read(
        self, consumer: Any, partition: Any, start: int, end: int
    ) -> AsyncIterator[Any]:
        """Yield the records from offset `start` until before `end`."""
        consumer.assign([partition])
        consumer.seek(partition, start)
        position = start
        while position < end:
            records: list[Any] = []
            async with self._link.answered():  # a bound on each step: many letters take a while
                while not records and position < end:
                    fetched = await consumer.getmany(timeout_ms=_POLL_MS)
                    records = fetched.get(partition, [])
                    position = await consumer.position(partition)
            for record in records:
                if record.offset < end:
                    yield record

    async def _described(self, sizes: Mapping[str, int]) -> list[TopicFact]:
        every = [one for name, size in sizes.items() for one in assigned(name, size)]
        async with self._consumer(None) as consumer, self._link.answered():
            begins, ends = await bounds(consumer, every)
        # Another one, with the group: see `bounds_of`.
        async with self._consumer(self._topics.group) as consumer:
            facts: dict[str, list[PartitionFact]] = {name: [] for name in sizes}
            for one in every:
                at: dict[str, Any] = {"begin": begins[one], "end": ends[one]}
                if self._topics.gateway_of(one.topic) is not None:
                    async with self._link.answered():
                        committed = await consumer.committed(one)
                    lag = PartitionLag(**at, committed=committed).lag
                    at |= {"committed": committed, "lag": lag}
                facts[one.topic].append(PartitionFact(partition=one.partition, **at))
        return [
            TopicFact(name=name, gateway=self._topics.gateway_of(name), partitions=partitions)
            for name, partitions in facts.items()
        ]

    @asynccontextmanager
    async def _consumer(self, group: str | None) -> AsyncIterator[Any]:
        unstarted = self._link.consumer(group, fetch_wait_s=_FETCH_WAIT_S)
        consumer = await self._link.started(unstarted)
        try:
            yield consumer
        finally:
            await self._link.close(consumer)


def _letter(record: Any, with_content: bool) -> LetterFact:
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value}
    key, value = record.key or b"", record.value or b""
    sender, message_id, content = _said(value)
    return LetterFact(
        time_ms=record.timestamp,
        reason=headers.get("reason", "?"),
        gateway=headers.get("gateway", "?"),
        partition=_number(headers.get("partition")),
        offset=_number(headers.get("offset")),
        user=key.decode(errors="replace"),
        sender=sender,
        id=message_id,
        bytes=_number(headers.get("bytes")) or len(key) + len(value),
        content=content if with_content else msgspec.UNSET,
    )


def _said(value: bytes) -> tuple[str | None, str | None, str]:
    """Return the sender, the id and the content of a message; of anything else all of it."""
    try:
        envelope = wire.decode(value)
        if isinstance(envelope, Carried):
            return envelope.sender, envelope.id, _frame_of(envelope.frame).content
    except (ValueError, RecursionError):
        pass  # a dead letter may be anything: that may be why it is dead
    return None, None, value.decode(errors="replace")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
