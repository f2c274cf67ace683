"""Topics: made once, whatever others do at the same time, and never by asking."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.cluster import ClusterMetadata
from stage import Stage

from wsgateway.brokers import ApacheKafka
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.catalog import Catalog


async def test_a_topic_is_made_once_with_as_many_partitions_as_asked_for(stage: Stage) -> None:
    topic = stage.topics.of("g1")
    assert await stage.catalog.ensure(topic, 3) == 3
    assert await stage.catalog.ensure(topic, 5) == 3, "it is used as it is"
    assert await stage.catalog.partitions(topic) == 3
    assert topic in await stage.catalog.names()


async def test_ten_gateways_may_make_it_at_once(stage: Stage) -> None:
    topic = stage.topics.broadcast
    others = [Catalog(stage.link) for _ in range(10)]
    await asyncio.gather(*[one.start() for one in others])
    assert await asyncio.gather(*[one.ensure(topic, 3) for one in others]) == [3] * 10
    await asyncio.gather(*[one.aclose() for one in others])


async def test_listing_topics_makes_none(stage: Stage) -> None:
    before = await stage.catalog.names()
    for _ in range(3):
        assert await stage.catalog.names() == before


async def test_a_broker_that_has_not_yet_said_that_it_is_there_is_asked_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answered while it was still starting knew of no broker at all, not even itself."""
    brokers, nobody_yet = ClusterMetadata.brokers, 5

    def soon(cluster: ClusterMetadata) -> object:
        nonlocal nobody_yet
        nobody_yet -= 1
        return brokers(cluster) if nobody_yet < 0 else set()

    monkeypatch.setattr(ClusterMetadata, "brokers", soon)
    async with Catalog(stage.link) as catalog:
        assert nobody_yet < 0
        assert isinstance(await catalog.names(), set)


async def test_on_apache_a_topic_that_does_not_exist_is_said(
    apache_server: ApacheKafka, key_prefix: str
) -> None:
    async with Stage(apache_server, key_prefix) as stage:
        with pytest.raises(KafkaUnavailable, match="UnknownTopicOrPartition"):
            await stage.catalog.partitions(stage.topics.of("nobody"))
        assert stage.topics.of("nobody") not in await stage.catalog.names()


async def test_a_name_that_kafka_refuses_is_said_in_one_line(
    apache_server: ApacheKafka,
) -> None:
    async with Stage(apache_server, "p" * 250) as stage:
        with pytest.raises(KafkaUnavailable, match=r"InvalidTopic") as said:
            await stage.catalog.ensure(stage.topics.of("g1"), 3)
    assert "\n" not in str(said.value)


async def test_what_a_topic_is_made_with(apache_server: ApacheKafka, key_prefix: str) -> None:
    """Kept for an hour; written by one broker of one; not compressed, whatever the default."""
    async with Stage(apache_server, key_prefix) as stage:
        topic = stage.topics.of("g1")
        await stage.catalog.ensure(topic, 3)
        admin = AIOKafkaAdminClient(bootstrap_servers=apache_server.address)
        await admin.start()
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        await admin.close()
    configs = {name: value for name, value, *_ in answer.resources[0][4]}
    assert configs["retention.ms"] == "3600000"
    assert configs["min.insync.replicas"] == "1"
    assert configs["compression.type"] == "producer"


async def test_a_dead_broker_is_said_in_time(own_tansu: Stage) -> None:
    own_tansu.kafka.kill()
    for asking in (
        own_tansu.catalog.names(),
        own_tansu.catalog.partitions("any"),
        own_tansu.catalog.ensure("any", 1),
        Catalog(own_tansu.link).start(),
    ):
        with pytest.raises(KafkaUnavailable) as said:
            async with asyncio.timeout(10):
                await asking
        assert "\n" not in str(said.value)
    await own_tansu.catalog.aclose()
    await own_tansu.catalog.aclose()
    with pytest.raises(KafkaUnavailable, match="not connected"):
        await own_tansu.catalog.names()
    own_tansu.kafka.restart()


async def test_it_works_again_when_the_broker_is_back(own_stage: Stage) -> None:
    topic = own_stage.topics.of("g1")
    await own_stage.catalog.ensure(topic, 3)
    own_stage.kafka.restart()
    async with asyncio.timeout(20):
        while True:
            try:
                assert await own_stage.catalog.ensure(topic, 3) == 3
                break
            except KafkaUnavailable:
                pass
