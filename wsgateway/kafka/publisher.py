"""Writing to topics: batches without a timer, one in flight per topic."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownError,
    UnsupportedVersionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from wsgateway.batch import Batcher
from wsgateway.errors import KafkaUnavailable, Overloaded
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.link import KafkaLink
from wsgateway.kafka.topics import partition_of
from wsgateway.protocol import Status

log = logging.getLogger(__name__)

# Why: a frame is 64 KiB at most, and its envelope adds ids and hops. Nothing honest is larger.
# 原因：帧最大 64 KiB，信封再加上各种 id 和跳数；正当的消息不会更大。
MAX_ENVELOPE_BYTES = 256 << 10
_BATCH_BYTES = 512 << 10
_MAX_BATCH = 1024
_MAX_WAITING = 20_000
_LATENCIES = 1024
_NO_IDEMPOTENCE = (UnknownError, UnsupportedVersionError, ClusterAuthorizationFailedError)
# Why: after one of these every later batch of that producer fails as well.
# 原因：出现其中任何一种之后，该生产者后面的批次都会失败。
_FATAL = (OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced)


Written = Status | Exception
"""What became of a record."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is written: key, value and headers."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Publisher:
    """Writes records to topics that exist, and says what the brokers know of each.

    Args:
        link: where the brokers are.
        catalog: which topics there are.
        counts: counters to keep.
        timeout_s: after so long without an answer the fate of a record is unknown, seconds.

    Attributes for reading: `idempotent` (the broker drops what a retry sends twice) and
    `produce_s` (seconds the latest batches took).
    """

    def __init__(
        self, link: KafkaLink, catalog: Catalog, counts: KafkaCounts, *, timeout_s: float
    ) -> None:
        self._link = link
        self._catalog = catalog
        self._counts = counts
        self._timeout_s = timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._batchers: dict[str, Batcher[Record, Status]] = {}
        self._waiting = 0
        self._topics: set[str] = set()
        self._renewing = asyncio.Lock()
        self._broken = False
        self._failing = False
        self.idempotent = True
        self.produce_s: deque[float] = deque(maxlen=_LATENCIES)

    def __len__(self) -> int:
        """Records that wait."""
        return self._waiting

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        self._topics = await self._catalog.names()
        self._producer = await self._connect()

    async def aclose(self) -> None:
        """Fail what waits and disconnect. Safe to call twice."""
        producer, self._producer = self._producer, None
        try:
            async with asyncio.TaskGroup() as group:
                for batcher in self._batchers.values():
                    group.create_task(batcher.aclose())
        finally:
            self._batchers.clear()
            self._waiting = 0
            if producer is not None:
                await self._link.close(producer)

    def publish(self, topic: str, record: Record, done: Callable[[Written], None]) -> None:
        """Queue `record`, in call order per topic and key.

        Args:
            topic: where to.
            record: what.
            done: hears, once and never before this returns, `accepted`: the in-sync replicas hold
                it; `offline`: there is no such topic; `unknown`: no answer in time, it may or may
                not be there; or `BrokerUnavailable`: this publisher does not run.

        Raises:
            Overloaded: too many records wait.
            ValueError: it is larger than any envelope may be.
        """
        if len(record.value) > MAX_ENVELOPE_BYTES:
            raise ValueError(f"{len(record.value)} bytes are more than {MAX_ENVELOPE_BYTES}")
        if self._producer is None:
            asyncio.get_running_loop().call_soon(done, KafkaUnavailable("not running"))
            return
        if self._waiting >= _MAX_WAITING:
            raise Overloaded("too many envelopes wait for Kafka")
        batcher = self._batchers.get(topic)
        if batcher is None:
            batcher = Batcher(partial(self._flush, topic), max_batch=_MAX_BATCH)
            batcher.start()
            self._batchers[topic] = batcher
        batcher.put(record, done)
        self._waiting += 1

    async def _flush(self, topic: str, records: Sequence[Record]) -> list[Written]:
        self._waiting -= len(records)
        started_s = time.perf_counter()
        statuses: list[Written] = [Status.UNKNOWN] * len(records)
        try:
            async with asyncio.timeout(self._timeout_s):
                if topic not in self._topics:
                    self._topics = await self._catalog.names()
                if topic not in self._topics:
                    return [Status.OFFLINE] * len(records)
                await self._write(topic, records, statuses)
        except (TimeoutError, KafkaError, KafkaUnavailable) as error:
            self._failed(topic, error)
            return statuses
        self._failing = False
        self._counts.batches += 1
        self._counts.envelopes += len(records)
        self.produce_s.append(time.perf_counter() - started_s)
        return statuses

    async def _write(self, topic: str, records: Sequence[Record], statuses: list[Written]) -> None:
        """Write `records`, noting in `statuses` each that is held as soon as it is."""
        producer = await self._current()
        count = len(await producer.partitions_for(topic))
        by_partition: dict[int, list[int]] = {}
        for index, record in enumerate(records):
            by_partition.setdefault(partition_of(record.key, count), []).append(index)
        writing = []
        for partition, indexes in by_partition.items():
            for builder, packed in _packed(producer, records, indexes):
                written = await producer.send_batch(builder, topic, partition=partition)
                written.add_done_callback(partial(_note, statuses, packed))
                writing.append(written)
        # Why: waited for, not gathered: when time is up, the brokers may still take what is on
        # its way, in order, ahead of whatever is written next.
        # 原因：只等待而不聚合：到时间后，已在途的数据代理仍可能收下，
        # 而且顺序不变，排在之后写入的前面。
        await asyncio.wait(writing)
        for written in writing:
            written.result()

    async def _current(self) -> AIOKafkaProducer:
        """Return the producer, a new one if the last can go on no more."""
        async with self._renewing:
            if self._producer is None:
                raise KafkaUnavailable("not running")
            if self._broken:
                await self._link.close(self._producer)
                self._producer = await self._connect()
                self._broken = False
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        if self.idempotent:
            try:
                return await self._link.started(
                    self._link.producer(idempotent=True, batch_bytes=_BATCH_BYTES)
                )
            except KafkaUnavailable as error:
                if not isinstance(error.__cause__, _NO_IDEMPOTENCE):
                    raise
                # Why: Tansu has no such thing. A retry may then write a message twice; the ids
                # suppress the repeat.
                # 原因：Tansu 不支持。重试可能把一条消息写两次，靠消息 id 去重。
                log.info("this broker has no idempotent producer: a retry may write twice")
                self.idempotent = False
        return await self._link.started(
            self._link.producer(idempotent=False, batch_bytes=_BATCH_BYTES)
        )

    def _failed(self, topic: str, error: Exception) -> None:
        self._topics.discard(topic)  # it may have been deleted: look again
        self._broken = self._broken or isinstance(error, _FATAL)
        log.log(
            logging.DEBUG if self._failing else logging.WARNING,
            "not written to %s in time, the envelopes' fate is unknown: %r",
            topic,
            error,
        )
        self._failing = True


def _packed(
    producer: AIOKafkaProducer, records: Sequence[Record], indexes: Sequence[int]
) -> Iterator[tuple[BatchBuilder, list[int]]]:
    """Yield batches with the records at `indexes`, in order, and which are in each."""
    now_ms = time.time_ns() // 1_000_000
    builder, packed = producer.create_batch(), list[int]()
    for index in indexes:
        record = records[index]
        entry = {"key": record.key, "value": record.value, "headers": list(record.headers)}
        if builder.append(timestamp=now_ms, **entry) is None:  # full
            yield builder, packed
            builder, packed = producer.create_batch(), []
            builder.append(timestamp=now_ms, **entry)
        packed.append(index)
    builder.close()
    yield builder, packed


def _note(statuses: list[Written], packed: list[int], written: "asyncio.Future[Any]") -> None:
    if not written.cancelled() and written.exception() is None:
        for index in packed:
            statuses[index] = Status.ACCEPTED
