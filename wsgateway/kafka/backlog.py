"""How much of a topic nobody has committed yet: what `kafka-consumer-groups` calls lag."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer

from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.bounds import bounds, know
from wsgateway.kafka.link import KafkaLink, assigned

_FETCH_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Where one partition begins and ends, and what is committed; None: nothing yet."""

    begin: int
    end: int
    committed: int | None

    @property
    def lag(self) -> int:
        """Records that are not committed."""
        return max(0, self.end - max(self.begin, self.committed or 0))


class Backlog:
    """Asks the brokers for lag, of any topic.

    Args:
        link: where the brokers are.
        group: whose commits to compare with.
    """

    def __init__(self, link: KafkaLink, group: str) -> None:
        self._link = link
        self._group = group
        self._scout: AIOKafkaConsumer | None = None  # without a group: see `bounds_of`
        self._member: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        try:
            self._scout = await self._started(None)
            self._member = await self._started(self._group)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Disconnect. Safe to call twice."""
        consumers, self._scout, self._member = (self._scout, self._member), None, None
        async with AsyncExitStack() as closing:  # the second one too, when the first is cancelled
            for consumer in consumers:
                if consumer is not None:
                    closing.push_async_callback(self._link.close, consumer)

    async def ends(self, topics: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Return where the partitions of each topic end, as the broker tells it: see `bounds`.

        Args:
            topics: name -> how many partitions it has.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        if self._scout is None:
            raise KafkaUnavailable("not connected")
        everything = [one for topic, count in topics.items() for one in assigned(topic, count)]
        async with self._link.answered():
            know(self._scout, everything)
            found = await self._scout.end_offsets(everything)
        return {
            topic: tuple(found[one] for one in assigned(topic, count))
            for topic, count in topics.items()
        }

    async def of(self, topic: str, partitions: int) -> dict[int, PartitionLag]:
        """Return the lag of each partition.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        if self._scout is None or self._member is None:
            raise KafkaUnavailable("not connected")
        all_of_it = assigned(topic, partitions)
        async with self._link.answered():
            begins, ends = await bounds(self._scout, all_of_it)
            return {
                one.partition: PartitionLag(
                    begins[one], ends[one], await self._member.committed(one)
                )
                for one in all_of_it
            }

    async def _started(self, group: str | None) -> AIOKafkaConsumer:
        return await self._link.started(self._link.consumer(group, fetch_wait_s=_FETCH_WAIT_S))
