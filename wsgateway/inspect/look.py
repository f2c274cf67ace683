"""One question each: asks Redis, and Kafka where that is the router."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from wsgateway.brokers.find import STANDARD_PORT, identify, without_password
from wsgateway.brokers.find_kafka import STANDARD_PORT as KAFKA_PORT
from wsgateway.brokers.find_kafka import identify_kafka
from wsgateway.config import Config, env_name
from wsgateway.errors import BrokerUnavailable, WsGatewayError
from wsgateway.inspect.facts import (
    ChannelFact,
    GatewayFact,
    GatewaysReport,
    LeaseFact,
    LettersReport,
    TopicFact,
    TopicsReport,
    UserFact,
)
from wsgateway.inspect.redis_view import RedisView
from wsgateway.kafka.settings import kafka_settings
from wsgateway.kafka.topics import Topics
from wsgateway.routers.redis import BROADCAST, channel_of

if TYPE_CHECKING:
    from wsgateway.inspect.kafka_view import KafkaView

_PUB_SUB = "Redis Pub/Sub"
NOTHING_KEPT = (
    f"{_PUB_SUB} keeps nothing: no topics, no lag, no dead letters "
    "(for a cluster on Kafka: --router kafka)"
)
KAFKA_TIMEOUT_S = 10.0


class Look:
    """Answers what there is to ask about one cluster.

    Args:
        config: of its gateways. Without an address it is localhost; nothing is ever started.

    Every method raises `BrokerUnavailable` when Redis or Kafka cannot be asked, and `ConfigError`
    when a certificate file cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._redis_given = config.redis is not None
        self._kafka_given = config.kafka is not None
        self._config = replace(
            config,
            redis=config.redis or f"redis://127.0.0.1:{STANDARD_PORT}",
            kafka=config.kafka or f"127.0.0.1:{KAFKA_PORT}",
        )
        self._on_kafka = config.router == "kafka"

    async def presence(self, user: str) -> UserFact:
        """Return where a user is."""
        async with self._redis() as (redis, _):
            return await redis.user(user)

    async def gateways(self) -> GatewaysReport:
        """Return every gateway that a lease, a user, a channel or a topic tells of."""
        if self._on_kafka:
            return await self._gateways_on_kafka()
        async with self._redis() as (redis, broker):
            found = await redis.find()
            listening = await redis.subscribers()
            ids = found.leases | set(found.users) | {one for one in listening if one is not None}
            leases = await redis.leases(sorted(ids))
        return GatewaysReport(
            router="redis",
            broker=broker,
            complete=found.complete,
            gateways=[
                GatewayFact(
                    id=one, lease=lease, users=found.users[one], subscribers=listening.get(one, 0)
                )
                for one, lease in leases.items()
            ],
        )

    async def topics(self, gateway_id: str | None = None) -> TopicsReport:
        """Return all topics, or that of one gateway; in Redis mode the channels.

        Raises:
            WsGatewayError: that gateway has no topic.
        """
        if not self._on_kafka:
            return await self._channels()
        topics, broker = await self._topics()
        if gateway_id is not None:
            topics = [one for one in topics if one.gateway == gateway_id]
            if not topics:
                raise WsGatewayError(f"gateway {gateway_id} has no topic in {broker}")
        async with self._redis() as (redis, _):
            leases = await redis.leases(one.gateway for one in topics if one.gateway is not None)
        return TopicsReport(
            router="kafka",
            broker=broker,
            group=Topics(self._config.key_prefix).group,
            topics=[_with_lease(one, leases) for one in topics],
        )

    async def lag(self, gateway_id: str | None = None) -> TopicsReport:
        """Return the topics of gateways; of none in Redis mode.

        Raises:
            WsGatewayError: the gateway asked for has no topic.
        """
        if not self._on_kafka:
            return TopicsReport(router="redis", broker=_PUB_SUB, note=NOTHING_KEPT)
        return await self.topics(gateway_id)

    async def dead_letters(self, last: int, *, with_content: bool) -> LettersReport:
        """Return the newest dead letters, `last` at most; none in Redis mode."""
        if not self._on_kafka:
            return LettersReport(router="redis", broker=_PUB_SUB, note=NOTHING_KEPT)
        async with self._kafka() as (kafka, broker):
            total, letters = await kafka.letters(last, with_content=with_content)
        topic = Topics(self._config.key_prefix).dead_letters
        return LettersReport(
            router="kafka", broker=broker, topic=topic, total=total, letters=letters
        )

    async def _gateways_on_kafka(self) -> GatewaysReport:
        topics, broker = await self._topics()
        lags = {one.gateway: one.lag for one in topics if one.gateway is not None}
        async with self._redis() as (redis, _):
            found = await redis.find()
            leases = await redis.leases(sorted(found.leases | set(found.users) | set(lags)))
            adopter = await redis.adopter()
        return GatewaysReport(
            router="kafka",
            broker=broker,
            adopter=adopter,
            complete=found.complete,
            gateways=[
                GatewayFact(id=one, lease=lease, users=found.users[one], lag=lags.get(one))
                for one, lease in leases.items()
            ],
        )

    async def _channels(self) -> TopicsReport:
        prefix = self._config.key_prefix
        async with self._redis() as (redis, broker):
            listening = await redis.subscribers()
            leases = await redis.leases(sorted(one for one in listening if one is not None))
        channels = [
            ChannelFact(
                name=channel_of(prefix, one), gateway=one, subscribers=listening[one], lease=lease
            )
            for one, lease in leases.items()
        ]
        everyone = ChannelFact(
            name=prefix + BROADCAST, gateway=None, subscribers=listening[None], lease=None
        )
        return TopicsReport(
            router="redis", broker=broker, note=NOTHING_KEPT, channels=[*channels, everyone]
        )

    async def _topics(self) -> tuple[list[TopicFact], str]:
        async with self._kafka() as (kafka, broker):
            return await kafka.topics(), broker

    @asynccontextmanager
    async def _redis(self) -> AsyncIterator[tuple[RedisView, str]]:
        config = self._config
        assert config.redis is not None
        try:
            name = await identify(config.redis, config.redis_timeout_s)
        except BrokerUnavailable as error:
            raise _with_hint(error, "redis", self._redis_given) from None
        view = RedisView(
            config.redis, key_prefix=config.key_prefix, timeout_s=config.redis_timeout_s
        )
        async with view:
            yield view, f"{name} at {without_password(config.redis)}"

    @asynccontextmanager
    async def _kafka(self) -> "AsyncIterator[tuple[KafkaView, str]]":
        settings = kafka_settings(self._config)
        assert self._config.kafka is not None
        try:
            name = await identify_kafka(self._config.kafka, settings)
        except BrokerUnavailable as error:
            raise _with_hint(error, "kafka", self._kafka_given) from None
        # Why here: it needs aiokafka, an extra. Whoever runs on Redis does without; whoever lacks
        # it has just been told.
        # 原因：放在这里导入，因为它需要可选依赖 aiokafka。只用 Redis 的人不必安装；
        # 缺了它，上面一步已经说明。
        from wsgateway.inspect.kafka_view import KafkaView
        from wsgateway.kafka.link import KafkaLink

        view = KafkaView(KafkaLink(settings, KAFKA_TIMEOUT_S), Topics(self._config.key_prefix))
        yield view, f"{name} at {self._config.kafka}"


def _with_lease(topic: TopicFact, leases: Mapping[str, LeaseFact]) -> TopicFact:
    return msgspec.structs.replace(topic, lease=leases.get(topic.gateway or ""))


def _with_hint(error: BrokerUnavailable, setting: str, given: bool) -> WsGatewayError:
    """Return the error, and how to say where the broker is if nobody has."""
    return error if given else WsGatewayError(f"{error} (--{setting} or {env_name(setting)})")
