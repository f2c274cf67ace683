"""The topics of all gateways, seen from one of them."""

from collections.abc import Sequence

from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.catalog import Catalog
from wsgateway.kafka.topics import Topics


class Neighbours:
    """Which gateways have a topic, where those end, and how much nobody has read.

    All raise `KafkaUnavailable`.

    Args:
        topics: names.
        catalog: which topics there are.
        backlog: asks for ends and commits.
    """

    def __init__(self, topics: Topics, catalog: Catalog, backlog: Backlog) -> None:
        self._topics = topics
        self._catalog = catalog
        self._backlog = backlog
        self._partitions: dict[str, int] = {}

    async def gateways(self) -> set[str]:
        """Return the ids of all gateways that have a topic."""
        owners = map(self._topics.gateway_of, await self._catalog.names())
        return {gateway_id for gateway_id in owners if gateway_id is not None}

    async def ends(self, gateway_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return where the topic of each gateway ends, by partition, in one question."""
        topics = {one: self._topics.of(one) for one in gateway_ids}
        for topic in set(topics.values()) - set(self._partitions):
            self._partitions[topic] = await self._catalog.partitions(topic)
        counts = {topic: self._partitions[topic] for topic in topics.values()}
        found = await self._backlog.ends(counts)
        return {one: found[topic] for one, topic in topics.items()}

    async def lag(self, gateway_id: str) -> int:
        """Return how many records of a gateway's topic are not committed."""
        topic = self._topics.of(gateway_id)
        lags = await self._backlog.of(topic, await self._catalog.partitions(topic))
        return sum(one.lag for one in lags.values())
