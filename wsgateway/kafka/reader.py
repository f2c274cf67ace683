"""Reading one gateway's topic: its own, or that of a dead one."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Self

from wsgateway import tasks
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.intake import Intake
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.publisher import Publisher
from wsgateway.kafka.tail import Tail
from wsgateway.kafka.topics import Topics
from wsgateway.routers.base import Deliver

log = logging.getLogger(__name__)

# Why: after a crash what was settled within this time is delivered again, so short; but each
# commit is a write to a topic of the broker's own, so not per message.
# 原因：崩溃后，这段时间内已处理的会再投递一次，所以要短；
# 但每次提交都是对代理内部主题的一次写入，所以不逐条提交。
_COMMIT_S = 0.2


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How topics are read.

    Args:
        fetch_wait_s: how long the broker may hold a fetch that finds nothing, seconds.
        watch_s: seconds between two looks at the log's end.
        patience_s: seconds a letter waits for its user.
        expiry_s: seconds after which a letter is not worth delivering.
    """

    fetch_wait_s: float
    watch_s: float
    patience_s: float
    expiry_s: float


class Reader:
    """Reads the topic of one gateway and commits what is settled.

    Args:
        link: where the brokers are.
        topics: names.
        publisher: for dead letters.
        gateway_id: whose topic to read.
        partitions: how many it has.
        deliver: takes each envelope.
        counts: counters to keep.
        addressee: given to `deliver`: None for our own topic.
        settings: how to read.
    """

    def __init__(
        self,
        link: KafkaLink,
        topics: Topics,
        publisher: Publisher,
        gateway_id: str,
        partitions: int,
        deliver: Deliver,
        counts: KafkaCounts,
        *,
        addressee: str | None,
        settings: ReaderSettings,
    ) -> None:
        self._counts = counts
        self._settings = settings
        self.tail = Tail(
            link,
            assigned(topics.of(gateway_id), partitions),
            counts,
            group=topics.group,
            fetch_wait_s=settings.fetch_wait_s,
        )
        self.intake = Intake(
            gateway_id,
            topics.dead_letters,
            publisher,
            deliver,
            counts,
            addressee=addressee,
            patience_s=settings.patience_s,
            expiry_s=settings.expiry_s,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def caught_up(self) -> bool:
        """Whether all that was there when last looked is read, settled and committed."""
        behind = any(self.tail.lag.values())
        return not (behind or len(self.intake) or self.intake.uncommitted())

    @property
    def failed(self) -> BaseException | None:
        """Why reading ended by itself: a bug; None while all is well."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def start(self) -> None:
        """Begin where the last reader committed.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        try:
            await self.tail.start()
        except BaseException:
            await self.aclose()
            raise
        self.intake.begin(self.tail.positions)
        self._tasks = [
            asyncio.create_task(work(), name=f"kafka reader: {work.__name__}")
            for work in (self._read, self._commit, self._watch)
        ]

    async def aclose(self) -> None:
        """Stop reading, commit what is settled, disconnect. Safe to call twice."""
        try:
            await tasks.end(*self._tasks)
            self._tasks = []
            self.intake.aclose()
            await self._commit_once()
        finally:
            await self.tail.aclose()

    async def _read(self) -> None:
        while True:
            await self.intake.room.wait()
            for record in await self.tail.next():
                replay_until = self.tail.replay_until.get(record.partition, 0)
                self._counts.replayed += record.offset < replay_until
                self.intake.take(record)

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_S)
            await self._commit_once()

    async def _commit_once(self) -> None:
        offsets = self.intake.uncommitted()
        if not offsets:
            return
        try:
            await self.tail.commit(offsets)
        except KafkaUnavailable as error:
            self._counts.commit_failures += 1
            log.warning("offsets not committed, what follows them may come twice: %s", error)
        else:
            self.intake.committed(offsets)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_s)
            await self.tail.look(reading=self.intake.room.is_set())
