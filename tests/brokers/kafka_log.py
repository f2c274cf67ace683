"""What the tests of Kafka brokers do with one: topics, records, offsets."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NodeNotReadyError

LOG = TopicPartition("log", 0)
GROUP = "readers"


async def create(address: str) -> None:
    """Make the topic `log`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        made = await admin.create_topics([NewTopic(LOG.topic, 1, 1)])
        assert [error for _, error, _ in made.topic_errors] == [0]
    finally:
        await admin.close()


async def topics(address: str) -> list[str]:
    """Return the names of all topics, the broker's own left out; ask again while it starts."""
    async with asyncio.timeout(30):
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=address)
            try:
                await admin.start()
                return [name for name in await admin.list_topics() if not name.startswith("__")]
            except NodeNotReadyError:
                continue
            finally:
                await admin.close()


async def append(address: str, *values: bytes) -> None:
    """Write records; return when the broker holds them all."""
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(LOG.topic, value)


async def read(address: str, count: int, commit: int | None = None) -> Sequence[bytes]:
    """Read `count` records on from the last commit, else from the start; then commit."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=address,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=5,
    )
    async with reader:
        reader.assign([LOG])
        values = [(await reader.getone()).value or b"" for _ in range(count)]
        if commit is not None:
            await reader.commit({LOG: commit})
    return values
