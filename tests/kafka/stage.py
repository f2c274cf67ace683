"""One broker and what a test does to it behind the package's back: topics, records, offsets."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from raw import PATIENCE_S, until

from wsgateway.brokers import ApacheKafka, TansuServer
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.publisher import Publisher, Record, Written
from wsgateway.kafka.topics import Topics
from wsgateway.protocol import Status

Kafka = TansuServer | ApacheKafka
_MAX_REQUEST_BYTES = 8 << 20
_QUIET_MS = 200


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*/stat"))


async def silence(kafka: Kafka) -> None:
    """Pause a broker; return when none of its threads runs any more, where that can be seen."""
    kafka.pause()
    threads = _threads(kafka.pid)
    await until(
        lambda: all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in threads)
    )


class Stage:
    """What a gateway needs to use `kafka`, and tools to look at the broker without it.

    Args:
        kafka: the broker.
        prefix: keeps this test's topics apart.
        timeout_s: bound on an answer to the package, seconds.
    """

    def __init__(self, kafka: Kafka, prefix: str, *, timeout_s: float = 10.0) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.link = self.link_to(kafka.address, timeout_s)
        self.counts = KafkaCounts()
        # Tansu looks for new records only when asked.
        self.fetch_wait_s = 0.005 if isinstance(kafka, TansuServer) else 0.1
        self.catalog = Catalog(self.link)
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.catalog)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
        await self._admin.start()
        self._stack.push_async_callback(self._admin.close)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def apache(self) -> bool:
        return isinstance(self.kafka, ApacheKafka)

    def link_to(self, address: str, timeout_s: float = 10.0) -> KafkaLink:
        return KafkaLink({"bootstrap_servers": address}, timeout_s)

    async def publisher(self, *, timeout_s: float = 5.0) -> Publisher:
        """A started publisher, closed when the stage is."""
        publisher = Publisher(self.link, self.catalog, self.counts, timeout_s=timeout_s)
        await publisher.start()
        self._stack.push_async_callback(publisher.aclose)
        return publisher

    async def make(self, topic: str, partitions: int = 3, **configs: str) -> None:
        """Make a topic; return when the broker knows it too, not only its controller."""
        options = {name.replace("_", "."): value for name, value in configs.items()}
        answer = await self._admin.create_topics(
            [NewTopic(topic, partitions, 1, topic_configs=options)]
        )
        # 36, it is there already: Tansu makes a topic when anybody's client asks about it.
        assert [code for _, code, *_ in answer.topic_errors] in ([0], [36])
        async with asyncio.timeout(PATIENCE_S):
            while topic not in await self._admin.list_topics():
                pass

    async def widen(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions."""
        answer = await self._admin.create_partitions({topic: NewPartitions(partitions)})
        assert [code for _, code, _ in answer.topic_errors] == [0]

    async def delete(self, topic: str) -> None:
        """Delete a topic."""
        await self._admin.delete_topics([topic])

    async def write(
        self,
        topic: str,
        *values: bytes | None,
        key: bytes | None = b"alice",
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        **options: Any,
    ) -> None:
        """Write records as any other program may; return when the broker holds them all."""
        if self._producer is None:
            self._producer = await self._stack.enter_async_context(
                AIOKafkaProducer(
                    bootstrap_servers=self.kafka.address,
                    acks="all",
                    max_request_size=_MAX_REQUEST_BYTES,
                )
            )
        sent = [
            await self._producer.send(
                topic, value, key=key, partition=partition, headers=list(headers), **options
            )
            for value in values
        ]
        for one in sent:
            await one

    async def read(self, topic: str, count: int, partitions: int = 3) -> list[ConsumerRecord]:
        """Read a topic from its start: `count` records, and what follows them without a pause."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.address,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=5,
            max_partition_fetch_bytes=_MAX_REQUEST_BYTES,
        )
        async with reader:
            reader.assign(assigned(topic, partitions))
            records: list[ConsumerRecord] = []
            async with asyncio.timeout(PATIENCE_S):
                while len(records) < count:
                    records.append(await reader.getone())
            while late := await reader.getmany(timeout_ms=_QUIET_MS):
                records.extend(record for batch in late.values() for record in batch)
        return records

    async def committed(self, topic: str, partitions: int = 3) -> dict[int, int | None]:
        """Return what our group has committed, by partition."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.address,
            group_id=self.topics.group,
            enable_auto_commit=False,
        )
        async with reader:
            reader.assign(assigned(topic, partitions))
            return {
                one.partition: await reader.committed(one) for one in assigned(topic, partitions)
            }

    async def commit(self, topic: str, offsets: Mapping[int, int], partitions: int = 3) -> None:
        """Commit as our group."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.address,
            group_id=self.topics.group,
            enable_auto_commit=False,
        )
        async with reader:
            reader.assign(assigned(topic, partitions))
            await reader.commit(
                {
                    one: offsets[one.partition]
                    for one in assigned(topic, partitions)
                    if one.partition in offsets
                }
            )


def numbered(count: int, users: int = 1) -> list[Record]:
    """Records `0`, `1`, ..., to `users` users in turn."""
    return [Record(b"user-%d" % (n % users), b"%d" % n) for n in range(count)]


def by_key(records: Sequence[ConsumerRecord]) -> dict[bytes, list[int]]:
    """Return the numbers of `numbered`, as they lie in the log, by key."""
    numbers: dict[bytes, list[int]] = {}
    for record in records:
        numbers.setdefault(record.key, []).append(int(record.value))
    return numbers


def accepted(statuses: Sequence[Status]) -> list[int]:
    """Return which are `accepted`."""
    return [n for n, status in enumerate(statuses) if status is Status.ACCEPTED]


def written(publisher: Publisher, topic: str, record: Record) -> asyncio.Future[Status]:
    """Publish, and return the future of what becomes of it."""
    future: asyncio.Future[Status] = asyncio.get_running_loop().create_future()

    def done(outcome: Written) -> None:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    publisher.publish(topic, record, done)
    return future
