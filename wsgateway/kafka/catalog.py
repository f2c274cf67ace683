"""Which topics there are, and making the ones a gateway needs."""

import asyncio
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    LeaderNotAvailableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.link import KafkaLink

# Why: an hour outlasts any sensible expiry of a message, and bounds the disk.
# 原因：一小时比任何合理的消息过期时限都长，又给磁盘占用设了上限。
RETENTION_S = 3_600.0
_REPLICAS = 3
_NOT_KNOWN_YET = (UnknownTopicOrPartitionError, LeaderNotAvailableError)
_ASK_AGAIN_S = 0.02


class Catalog:
    """The topics of one Kafka cluster.

    Args:
        link: where the brokers are.
    """

    def __init__(self, link: KafkaLink) -> None:
        self._link = link
        self._admin: AIOKafkaAdminClient | None = None

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
        admin = await self._link.started(AIOKafkaAdminClient(**self._link.settings))
        self._admin = admin
        # Why: a broker that has just started may answer before it has told the others that it is
        # there, and then names no broker at all. The library would not ask again for minutes.
        # 原因：刚启动的代理可能先应答、后登记，应答里一个代理都没有；而库要过几分钟才会再问。
        try:
            async with self._link.answered():
                while not admin._client.cluster.brokers():
                    await asyncio.sleep(_ASK_AGAIN_S)
                    await admin._client.force_metadata_update()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Disconnect. Safe to call twice."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await self._link.close(admin)

    async def names(self) -> set[str]:
        """Return all topics.

        Raises:
            KafkaUnavailable: the broker does not answer.
        """
        # Why: all of them. Asking for one by name makes it, on a broker that creates topics by
        # itself, and a gateway nobody runs would look like one.
        # 原因：列出全部。若代理会自动建主题，按名字询问就会把它建出来，
        # 没人运行的网关看上去就像存在一样。
        async with self._link.answered():
            return set(await self._connected().list_topics())

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises:
            KafkaUnavailable: the broker does not answer, or has no such topic.
        """
        async with self._link.answered():
            return await self._partitions(topic)

    async def ensure(self, topic: str, partitions: int) -> int:
        """Make a topic unless it is there; return how many partitions it has.

        Raises:
            KafkaUnavailable: the broker does not answer, or refuses.
        """
        if topic in await self.names():
            return await self.partitions(topic)
        await self._create(topic, partitions)
        async with self._link.answered():
            while True:
                try:
                    return await self._partitions(topic)
                except _NOT_KNOWN_YET:
                    # Why: the controller has made it, but the broker we ask has yet to hear of it.
                    # 原因：控制器已经建好，但我们询问的这台代理还没得到消息。
                    await asyncio.sleep(_ASK_AGAIN_S)

    async def _partitions(self, topic: str) -> int:
        (described,) = await self._connected().describe_topics([topic])
        if described["error_code"]:
            raise for_code(described["error_code"])(topic)
        return len(described["partitions"])

    async def _create(self, topic: str, partitions: int) -> None:
        async with self._link.answered():
            admin = self._connected()
            replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
            # Why: with three replicas, two must hold a message before it is `accepted`: then one
            # broker may die with its disk. One replica can promise nothing against that.
            # 原因：三副本时至少两份写入才算 `accepted`，坏掉一台代理连同磁盘也不丢；
            # 单副本则对此无从保证。
            # And stored as they are written, whatever the broker's default: a codec that a gateway
            # does not have would make it deaf.
            options = {
                "retention.ms": str(round(RETENTION_S * 1000)),
                "compression.type": "producer",
                "min.insync.replicas": "2" if replicas == _REPLICAS else "1",
            }
            made = NewTopic(topic, partitions, replicas, topic_configs=options)
            answer = await admin.create_topics([made])
            for _, code, *rest in answer.topic_errors:
                error = for_code(code)
                # several gateways may start at once
                if code and error is not TopicAlreadyExistsError:
                    raise error(*rest)

    def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise KafkaUnavailable("not connected")
        return self._admin
