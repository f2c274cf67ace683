"""Connections to Kafka, set up for a gateway: bounded waits, one clear line per failure."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from wsgateway import tasks
from wsgateway.errors import KafkaUnavailable

log = logging.getLogger(__name__)

Client: TypeAlias = AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient
T = TypeVar("T", AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient)

# Why: how long aiokafka holds on to a request nobody answers. Shorter, and a broker that is only
# paused would be given up; the sender has long been told `unknown` by then.
# 原因：aiokafka 等待一个无应答请求的时长。再短就会放弃只是暂停的代理；
# 而发件人早已收到 `unknown`。
_REQUEST_TIMEOUT_MS = 15_000
# Why: so long a partition that was added goes unread. The library's five minutes are half the life
# of a message.
# 原因：新增的分区最多这么久没人读。库默认的五分钟已是消息寿命的一半。
_METADATA_MAX_AGE_MS = 10_000
# What the library's clients run, beside their connections.
_TASKS = (
    "_sender_task",
    "_fetch_task",
    "_coordination_task",
    "_commit_refresh_task",
    "_heartbeat_task",
    "_reset_committed_task",
)


@dataclass(frozen=True, slots=True)
class KafkaLink:
    """How to reach one Kafka cluster.

    Args:
        settings: keyword arguments for every aiokafka client, `bootstrap_servers` at least.
        timeout_s: bound on an answer, seconds.
    """

    settings: dict[str, Any]
    timeout_s: float

    async def admin(self) -> AIOKafkaAdminClient:
        """Return a started admin client.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        return await self.started(AIOKafkaAdminClient(**self.settings))

    def producer(self, *, idempotent: bool, batch_bytes: int) -> AIOKafkaProducer:
        """Return a producer, not started: all in-sync replicas must hold what it is told is held.

        Args:
            idempotent: let the broker drop what a retry sends twice.
            batch_bytes: size of one batch of records at most.
        """
        return AIOKafkaProducer(
            acks="all",
            enable_idempotence=idempotent,
            max_batch_size=batch_bytes,
            max_request_size=2 * batch_bytes,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            **self.settings,
        )

    def consumer(self, group: str | None, *, fetch_wait_s: float) -> AIOKafkaConsumer:
        """Return a consumer without an assignment, not started.

        Args:
            group: under which it commits; None never commits.
            fetch_wait_s: how long the broker may hold a fetch that finds nothing, seconds.
        """
        # Why: the library's own defaults skip what came while nobody read (`latest`), and commit
        # on a timer what nobody has delivered yet.
        # 原因：库的默认值会跳过无人读取时到达的消息（`latest`），
        # 还会定时提交尚未投递的内容。
        return AIOKafkaConsumer(
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=round(fetch_wait_s * 1000),
            metadata_max_age_ms=_METADATA_MAX_AGE_MS,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            **self.settings,
        )

    async def started(self, client: T) -> T:
        """Start a client, or close it.

        Raises:
            KafkaUnavailable: it does not start in time.
        """
        try:
            async with self.answered():
                await client.start()
        except BaseException:
            await self.close(client)
            raise
        return client

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[None]:
        """Bound what is awaited inside, and say in one line what went wrong.

        Raises:
            KafkaUnavailable: no answer in time, or a refusal.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                yield
        except TimeoutError:
            raise KafkaUnavailable(f"Kafka does not answer in {self.timeout_s:g} s") from None
        except KafkaError as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error
        except OSError as error:
            raise KafkaUnavailable(f"Kafka: {error.strerror or error}") from error

    async def close(
        self, client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient
    ) -> None:
        """Close a client for certain, whatever the broker does; at once when cancelled."""
        closing = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
        caller = asyncio.current_task()
        try:
            if caller is not None and caller.cancelling():
                raise asyncio.CancelledError
            async with self.answered():
                await closing()
        except KafkaUnavailable as error:
            log.debug("not closed in good order: %s", error)
            await _abandon(client)
        except asyncio.CancelledError:
            giving_up = asyncio.create_task(_abandon(client), name="giving up a Kafka client")
            while not giving_up.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([giving_up])
            raise


async def _abandon(client: Client) -> None:
    # Why: a producer's `stop` waits until the broker has taken what is queued, for ever if need
    # be, and what is cut off in the middle leaves tasks behind. There is no public way to give up.
    # 原因：生产者的 `stop` 会一直等到代理收下排队的数据，代理不在就永远等下去；
    # 中途打断又会留下任务。库没有公开的放弃办法。
    if isinstance(client, AIOKafkaProducer):
        client._message_accumulator.fail_all(KafkaUnavailable("given up"))
    inner = client.client if isinstance(client, AIOKafkaProducer) else client._client
    parts = [getattr(client, name, None) for name in ("_sender", "_fetcher", "_coordinator")]
    running = [getattr(part, name, None) for part in parts for name in _TASKS]
    await tasks.end(*[task for task in running if task is not None])
    await inner.close()
    client._closed = True  # or it complains when it is collected


def assigned(topic: str, partitions: int) -> list[TopicPartition]:
    """Return all partitions of a topic."""
    return [TopicPartition(topic, number) for number in range(partitions)]
