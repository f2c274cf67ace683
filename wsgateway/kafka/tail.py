"""Following a topic: from a known offset, through broker restarts and stalls, skipping nothing."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError

from wsgateway.backoff import full_jitter
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.bounds import bounds_of
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.link import KafkaLink, assigned

log = logging.getLogger(__name__)

_POLL_MS = 200
_MAX_RECORDS = 500
_RETRY_BASE_S = 0.1
_RETRY_CAP_S = 2.0
# Why: two looks in a row without progress. After one, the fetch may simply be on its way.
# 原因：连续两次检查都没有进展才算停滞；只有一次，可能只是拉取还在路上。
_STALLED_LOOKS = 2


class Tail:
    """Reads some partitions on and on.

    Args:
        link: where the brokers are.
        partitions: of one topic, all of them.
        counts: counters to keep.
        group: under which to commit; None begins at the end and never commits.
        fetch_wait_s: how long the broker may hold a fetch that finds nothing, seconds.

    Attributes for reading: `positions` (next offset by partition), `ends` (where each ended when
    last looked), `replay_until` (where each ended at the start) and
    `failure` (why it cannot read now, or None).
    """

    def __init__(
        self,
        link: KafkaLink,
        partitions: Sequence[TopicPartition],
        counts: KafkaCounts,
        *,
        group: str | None,
        fetch_wait_s: float,
    ) -> None:
        self._link = link
        self._partitions = partitions
        self._counts = counts
        self._group = group
        self._fetch_wait_s = fetch_wait_s
        self._consumer: AIOKafkaConsumer | None = None
        self._stale = False
        self._attempt = 0
        self._looks = 0
        self._seen: dict[int, int] = {}
        self._beyond: dict[int, int] = {}
        self._rng = random.Random()
        self.positions: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.replay_until: dict[int, int] = {}
        self.failure: str | None = None

    @property
    def lag(self) -> dict[int, int]:
        """Records not read yet, by partition, when last looked."""
        return {number: end - self.positions[number] for number, end in self.ends.items()}

    async def start(self) -> None:
        """Find out where to begin, and begin.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        begins, ends = map(_by_number, await bounds_of(self._link, self._partitions))
        self._consumer = consumer = await self._open()
        async with self._link.answered():
            for one in self._partitions:
                if self._group is None:
                    self.positions[one.partition] = ends[one.partition]
                else:
                    # A commit beyond the end is one for an earlier topic of this name: the
                    # broker refuses it, and the consumer begins at the start.
                    committed = await consumer.committed(one)
                    self.positions[one.partition] = max(committed or 0, begins[one.partition])
        self.replay_until = ends
        for number, end in ends.items():
            self._note_end(number, end)
        consumer.assign(list(self._partitions))
        self._seek(consumer)

    async def next(self) -> list[ConsumerRecord]:
        """Return what has come, in order per partition; nothing after a while."""
        try:
            if self._consumer is None or self._stale:
                await self._replace()
            assert self._consumer is not None
            batches = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        except (KafkaError, KafkaUnavailable) as error:
            await self._fail(error)
            return []
        self._attempt = 0
        for one in batches:
            self._note_end(one.partition, self._consumer.highwater(one))
        records = [record for batch in batches.values() for record in batch]
        for record in records:
            self.positions[record.partition] = record.offset + 1
        return records

    async def look(self, *, reading: bool) -> None:
        """See where the partitions end, and whether this consumer still gets there.

        Args:
            reading: whether `next` has been called all along: a pause of ours is no stall.
        """
        consumer = self._consumer
        if consumer is None:
            return
        try:
            async with self._link.answered():
                ends = await consumer.end_offsets(list(self._partitions))
                at = {one.partition: await consumer.position(one) for one in self._partitions}
        except KafkaUnavailable as error:
            self.failure = str(error)
            return
        replaced = self._consumer is not consumer
        if replaced or self._stale:
            return
        self.failure = None
        # A log also holds marks of transactions, that nobody reads: the consumer is past them.
        for number, position in at.items():
            self.positions[number] = max(position, self.positions[number])
        for one, end in ends.items():
            # The larger counts: see `bounds` for a broker that names too small an end.
            self._note_end(one.partition, max(end, consumer.highwater(one) or 0))
        self._look_beyond(consumer)
        self._look_wide(consumer)
        # Why: after a pause of the broker this library's consumer may wait for ever while the
        # log grows. Only the log's end tells; its own high-water mark comes with what it reads.
        # 原因：代理暂停后，这个库的消费者可能一直等下去，而日志还在增长。
        # 只有日志末尾能说明问题：它自己记录的高水位要读到数据才会更新。
        behind = [number for number, lag in self.lag.items() if lag]
        moved = any(self._seen.get(number) != self.positions[number] for number in behind)
        self._looks = 0 if moved or not behind or not reading else self._looks + 1
        self._seen = dict(self.positions)
        if self._looks >= _STALLED_LOOKS:
            self._looks = 0
            self._counts.stalls += 1
            self._stale = True
            log.warning("stalled behind %s: reading on with a new consumer", self._partitions[0])

    def _look_beyond(self, consumer: AIOKafkaConsumer) -> None:
        """Begin again where the log is shorter than what was read of it."""
        # Why: the topic was made anew, or the broker came back empty. Apache Kafka refuses such an
        # offset, and the consumer begins again by itself; Tansu lets it wait there for ever.
        # 原因：主题被重建，或代理重启后是空的。Apache Kafka 会拒绝这种位点，消费者自会从头读；
        # Tansu 却让它一直等下去。
        for one in self._partitions:
            number, end = one.partition, consumer.highwater(one)
            is_beyond = end is not None and end < self.positions[number]
            self._beyond[number] = self._beyond.get(number, 0) + 1 if is_beyond else 0
            if self._beyond[number] >= _STALLED_LOOKS:
                log.warning("%s is not the log it was: reading it from its start", one)
                self.positions[number], self.ends[number] = 0, end
                self._stale = True

    def _look_wide(self, consumer: AIOKafkaConsumer) -> None:
        """Read partitions too that were added meanwhile: senders use them, once they know."""
        topic = self._partitions[0].topic
        added = (consumer.partitions_for_topic(topic) or set()) - set(self.positions)
        if added:
            log.warning("%s has %d more partitions: reading them too", topic, len(added))
            self._partitions = assigned(topic, len(self.positions) + len(added))
            self.positions |= dict.fromkeys(added, 0)
            self._stale = True

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit the next offset to read, by partition.

        Raises:
            KafkaUnavailable: not committed in time, or refused.
        """
        if self._consumer is None:
            raise KafkaUnavailable("not connected")
        topic = self._partitions[0].topic
        # Why: the library repeats a commit for ever when the topic has been deleted.
        # 原因：主题被删除后，库会无休止地重试提交。
        async with self._link.answered():
            await self._consumer.commit(
                {TopicPartition(topic, n): OffsetAndMetadata(at, "") for n, at in offsets.items()}
            )

    async def aclose(self) -> None:
        """Disconnect. Safe to call twice."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._link.close(consumer)

    async def _open(self) -> AIOKafkaConsumer:
        consumer = self._link.consumer(self._group, fetch_wait_s=self._fetch_wait_s)
        return await self._link.started(consumer)

    async def _replace(self) -> None:
        await self.aclose()
        self._consumer = await self._open()
        self._consumer.assign(list(self._partitions))
        self._seek(self._consumer)
        self._stale = False

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        for one in self._partitions:
            consumer.seek(one, self.positions[one.partition])

    def _note_end(self, number: int, end: int) -> None:
        self.ends[number] = max(end, self.positions[number])

    async def _fail(self, error: Exception) -> None:
        self._stale = True
        self.failure = str(error)
        log.log(
            logging.DEBUG if self._attempt else logging.WARNING,
            "cannot read %s: %s",
            self._partitions[0].topic,
            error,
        )
        pause_s = full_jitter(
            self._attempt, base_s=_RETRY_BASE_S, cap_s=_RETRY_CAP_S, rng=self._rng
        )
        self._attempt += 1
        await asyncio.sleep(pause_s)


def _by_number(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {one.partition: offset for one, offset in offsets.items()}
