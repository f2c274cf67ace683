"""Names of topics, and the partition of a key: the same as every other Kafka client's."""

import random
import re

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.kafka.topics import PARTITIONS, RESERVED_IDS, Topics, partition_of

PREFIXES = st.text(max_size=20)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
NAME = re.compile(r"[A-Za-z0-9._-]+")


def test_ten_thousand_random_keys_lie_where_aiokafka_puts_them() -> None:
    rng = random.Random(3)
    aiokafka = DefaultPartitioner()
    for _ in range(10_000):
        key = rng.randbytes(rng.randint(0, 80))
        count = rng.randint(1, 12)
        everywhere = list(range(count))
        assert partition_of(key, count) == aiokafka(key, everywhere, everywhere), key


def test_known_keys_lie_where_the_java_client_puts_them() -> None:
    """Murmur2 of these as Apache Kafka's own `UtilsTest` lists them."""
    murmur2 = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    for key, value in murmur2.items():
        assert partition_of(key, 1 << 31) == value & 0x7FFFFFFF


def test_users_spread_over_all_partitions() -> None:
    counts = [0] * PARTITIONS
    for n in range(3_000):
        counts[partition_of(b"user-%d" % n, PARTITIONS)] += 1
    assert min(counts) > 800


def test_the_names() -> None:
    topics = Topics()
    assert topics.of("g1") == "gateway-g1"
    assert topics.broadcast == "gateway-broadcast"
    assert topics.dead_letters == "gateway-dead-letters"
    assert topics.group == "websocket-gateway"
    prefixed = Topics("test-ab:")
    assert prefixed.of("g1") == "test-ab.gateway-g1"
    assert prefixed.group == "test-ab.websocket-gateway"


@given(PREFIXES, IDS)
def test_every_name_is_one_that_kafka_allows(prefix: str, gateway_id: str) -> None:
    topics = Topics(prefix)
    for name in (topics.of(gateway_id), topics.broadcast, topics.dead_letters, topics.group):
        assert NAME.fullmatch(name)


@given(PREFIXES, IDS.filter(lambda one: one not in RESERVED_IDS))
def test_a_topic_tells_whose_it_is(prefix: str, gateway_id: str) -> None:
    topics = Topics(prefix)
    assert topics.gateway_of(topics.of(gateway_id)) == gateway_id
    assert Topics(prefix + "x").gateway_of(topics.of(gateway_id)) is None


@pytest.mark.parametrize("reserved", RESERVED_IDS)
def test_reserved_ids_would_collide_with_topics_of_ours(reserved: str) -> None:
    topics = Topics("p:")
    assert topics.of(reserved) in (topics.broadcast, topics.dead_letters)
    assert topics.gateway_of(topics.of(reserved)) is None


@pytest.mark.parametrize("name", ["", "gateway", "orders", "x.gateway-g1", "__consumer_offsets"])
def test_other_topics_are_nobodys(name: str) -> None:
    assert Topics().gateway_of(name) is None


@pytest.mark.parametrize("name", ["gateway-", "gateway-a.b", f"gateway-{'x' * 65}"])
def test_a_topic_whose_rest_is_no_gateway_id_is_nobodys(name: str) -> None:
    assert Topics().gateway_of(name) is None
