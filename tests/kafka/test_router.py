"""Several gateways' routers on real brokers: adoption, owners that return, topics of any shape."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from raw import PATIENCE_S, sending, until
from redis.asyncio import Redis
from stage import Kafka, Stage, silence

from wsgateway import tasks
from wsgateway.brokers import RedisServer, TansuServer
from wsgateway.config import Config
from wsgateway.errors import BrokerUnavailable, ConfigError
from wsgateway.fate import Fate, Kept
from wsgateway.kafka import link
from wsgateway.kafka.adoption import topic_claim
from wsgateway.kafka.topics import RESERVED_IDS
from wsgateway.presence.base import claim_key, lease_key
from wsgateway.presence.claims import RedisClaims
from wsgateway.protocol import Status
from wsgateway.routers.kafka import KafkaRouter, make

TTL_S = 0.6


@dataclass
class Member:
    """One gateway: a router, its claims, and what arrives there."""

    gateway_id: str
    router: KafkaRouter
    claims: RedisClaims
    fate: Callable[[bytes], Fate | None] = lambda data: Fate.DONE
    arrived: list[bytes] = field(default_factory=list)
    addressees: Counter[str | None] = field(default_factory=Counter)

    def deliver(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        fate = self.fate(data) if kept is None or kept.wanted() else Fate.UNKNOWN
        if fate is Fate.DONE:
            self.arrived.append(data)
            self.addressees[addressee] += 1
        if kept is not None and fate is not None:
            kept.settle(fate)

    @property
    def adopted(self) -> float:
        return self.router.health().gauges["adopted"]  # type: ignore[return-value]

    async def crash(self) -> None:
        """End as a SIGKILL would: nothing is committed, nothing released."""
        await self.claims.aclose()
        adoption, own = self.router._adoption, self.router._reader
        assert adoption is not None
        assert own is not None
        for reader in (own, *adoption.readers.values()):
            await tasks.end(*reader._tasks)
            await reader.tail.aclose()


class Fleet:
    """Gateways on one broker and one Redis, and the leases they would hold."""

    def __init__(self, kafka: Kafka, redis: Redis, url: str, prefix: str) -> None:
        self.kafka = kafka
        self.redis = redis
        self.url = url
        self.prefix = prefix
        self.members: list[Member] = []

    async def member(self, gateway_id: str, *, start: bool = True, **options: Any) -> Member:
        config = Config(
            gateway_id=gateway_id,
            router="kafka",
            kafka=self.kafka.address,
            key_prefix=self.prefix,
            kafka_fetch_wait_s=0.005,
            canary_s=0.2,
        )
        claims = RedisClaims(
            self.url, gateway_id, ttl_s=TTL_S, key_prefix=self.prefix, timeout_s=1.0
        )
        claims.start()
        member = Member(gateway_id, make(config, claims), claims, **options)
        self.members.append(member)
        await self.redis.set(lease_key(self.prefix, gateway_id), "lives")
        if start:
            await member.router.start(member.deliver)
        return member

    async def dies(self, gateway_id: str) -> None:
        """Its lease lapses."""
        await self.redis.delete(lease_key(self.prefix, gateway_id))

    async def claimed(self, gateway_id: str) -> bool:
        return bool(await self.redis.exists(claim_key(self.prefix, topic_claim(gateway_id))))


@pytest.fixture
async def fleet(
    kafka_server: Kafka, redis_server: RedisServer, key_prefix: str
) -> AsyncIterator[Fleet]:
    async with Redis.from_url(redis_server.url) as redis:
        fleet = Fleet(kafka_server, redis, redis_server.url, key_prefix)
        yield fleet
        for member in fleet.members:
            await member.router.stop()
            await member.claims.aclose()


async def fill(sender: Member, to: str, count: int) -> list[bytes]:
    """Send `count` envelopes to seven users of a gateway; return them."""
    sent = [b"%d" % n for n in range(count)]
    writing = [sending(sender.router, to, one, f"user-{int(one) % 7}") for one in sent]
    assert set(await asyncio.gather(*writing)) == {Status.ACCEPTED}
    return sent


async def test_a_gateway_that_never_returns_is_adopted_by_one_of_the_others(fleet: Fleet) -> None:
    others = [await fleet.member(name) for name in "abc"]
    dead = await fleet.member("d")
    await dead.router.stop()
    sent = await fill(others[0], "d", 700)
    assert all(one.arrived == [] for one in others)
    await fleet.dies("d")
    await until(lambda: sum(len(one.arrived) for one in others) == len(sent))
    (adopter,) = (one for one in others if one.arrived)
    assert sorted(adopter.arrived, key=int) == sent
    assert adopter.addressees == {"d": 700}
    for user in range(7):
        of_user = [int(one) for one in adopter.arrived if int(one) % 7 == user]
        assert of_user == sorted(of_user)
    await until(lambda: adopter.adopted == 0)
    assert not await fleet.claimed("d")
    assert sum(one.router.health().counters["adoptions"] for one in others) == 1


async def test_when_the_adopter_dies_another_reads_on(fleet: Fleet) -> None:
    others = [await fleet.member(name, fate=lambda data: Fate.OFFLINE) for name in "abc"]
    dead = await fleet.member("d")
    await dead.router.stop()
    sent = await fill(others[0], "d", 70)
    await fleet.dies("d")
    await until(lambda: any(one.adopted for one in others))
    (first,) = (one for one in others if one.adopted)
    left = [one for one in others if one is not first]
    await first.crash()
    await fleet.dies(first.gateway_id)
    await until(lambda: any(one.adopted for one in left))
    for one in left:
        one.fate = lambda data: Fate.DONE
    await until(lambda: sum(len(one.arrived) for one in left) >= len(sent))
    assert sorted((one for member in left for one in member.arrived), key=int) == sent


async def test_an_owner_that_returns_waits_and_then_reads_on(fleet: Fleet) -> None:
    one = await fleet.member("a", fate=lambda data: Fate.DONE if int(data) < 30 else Fate.OFFLINE)
    dead = await fleet.member("d")
    await dead.router.stop()
    sent = await fill(one, "d", 70)
    await fleet.dies("d")
    await until(lambda: len(one.arrived) == 30)
    assert await fleet.claimed("d")
    returned = await fleet.member("d")  # its start waits for the adopter
    assert one.adopted == 0
    assert not await fleet.claimed("d")
    await until(lambda: set(one.arrived + returned.arrived) == set(sent))
    for user in range(7):
        of_user = [int(each) for each in returned.arrived if int(each) % 7 == user]
        assert of_user == sorted(of_user)
    assert returned.addressees.keys() == {None}


async def test_what_is_sent_to_a_gateway_while_it_is_adopted_arrives(fleet: Fleet) -> None:
    one, two = await fleet.member("a"), await fleet.member("b")
    dead = await fleet.member("d")
    await dead.router.stop()
    await fleet.dies("d")
    arrived = 0
    for _ in range(3):
        await fill(one, "d", 50)
        arrived += 50
        await until(lambda: len(one.arrived) + len(two.arrived) >= arrived)  # noqa: B023
    assert len(one.arrived) + len(two.arrived) == 150


@pytest.mark.parametrize("partitions", [1, 7])
async def test_a_topic_with_another_number_of_partitions_is_used_as_it_is(
    fleet: Fleet, caplog: pytest.LogCaptureFixture, partitions: int
) -> None:
    async with Stage(fleet.kafka, fleet.prefix) as stage:
        await stage.make(stage.topics.of("a"), partitions)
    with caplog.at_level(logging.WARNING, "wsgateway"):
        one = await fleet.member("a")
    assert f"has {partitions} partitions, not 3" in caplog.text
    sender = await fleet.member("b")
    sent = await fill(sender, "a", 140)
    await until(lambda: len(one.arrived) == 140)
    assert sorted(one.arrived, key=int) == sent
    assert set(one.router.health().gauges["lag"]) == {str(n) for n in range(partitions)}  # type: ignore[arg-type]


async def test_while_redis_is_away_an_adopter_lets_go_and_then_takes_up_again(
    tansu_server: Kafka, key_prefix: str
) -> None:
    with RedisServer() as server:
        async with Redis.from_url(server.url) as redis:
            fleet = Fleet(tansu_server, redis, server.url, key_prefix)
            one = await fleet.member("a", fate=lambda data: Fate.UNKNOWN)
            dead = await fleet.member("d")
            await dead.router.stop()
            sent = await fill(one, "d", 70)
            await fleet.dies("d")
            await until(lambda: one.adopted == 1)
            server.kill()
            await until(lambda: one.adopted == 0)
            server.restart()
            one.fate = lambda data: Fate.DONE
            await until(lambda: len(one.arrived) == 70)
            assert sorted(one.arrived, key=int) == sent
            for member in fleet.members:
                await member.router.stop()
                await member.claims.aclose()


async def test_a_tansu_that_came_back_empty_serves_everyone_again(
    redis_server: RedisServer, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes lost topics again by itself, with four partitions: each of them must be read."""
    monkeypatch.setattr(link, "_METADATA_MAX_AGE_MS", 300)
    with TansuServer() as kafka:
        async with Redis.from_url(redis_server.url) as redis:
            fleet = Fleet(kafka, redis, redis_server.url, key_prefix)
            one, two = await fleet.member("a"), await fleet.member("b")
            users = {f"user-{n}" for n in range(30)}
            kafka.restart()
            async with asyncio.timeout(PATIENCE_S):
                while not users <= {each.decode() for each in two.arrived}:
                    await asyncio.gather(*[sending(one.router, "b", u.encode(), u) for u in users])
            assert two.router.health().ok
            for member in fleet.members:
                await member.router.stop()
                await member.claims.aclose()


@pytest.mark.parametrize("reserved", RESERVED_IDS)
async def test_an_id_whose_topic_has_another_use_is_refused(
    reserved: str, redis_server: RedisServer
) -> None:
    claims = RedisClaims(redis_server.url, "x", ttl_s=1, key_prefix="", timeout_s=1)
    with pytest.raises(ConfigError, match="another use"):
        make(Config(gateway_id=reserved, router="kafka", kafka="one:9092"), claims)
    await claims.aclose()


async def test_a_start_that_fails_leaves_nothing_behind(
    own_tansu: Stage, redis_server: RedisServer, key_prefix: str
) -> None:
    before = asyncio.all_tasks()
    async with Redis.from_url(redis_server.url) as redis:
        fleet = Fleet(own_tansu.kafka, redis, redis_server.url, key_prefix)
        own_tansu.kafka.kill()
        with pytest.raises(BrokerUnavailable) as said:
            await fleet.member("a")
        assert "\n" not in str(said.value)
        (member,) = fleet.members
        assert not member.router.health().ok
        await member.claims.aclose()
        assert asyncio.all_tasks() == before
        own_tansu.kafka.restart()


async def test_stopping_on_a_silent_broker_is_bounded_and_leaves_nothing_behind(
    own_kafka: Kafka, redis_server: RedisServer, key_prefix: str
) -> None:
    before = asyncio.all_tasks()
    async with Redis.from_url(redis_server.url) as redis:
        fleet = Fleet(own_kafka, redis, redis_server.url, key_prefix)
        member = await fleet.member("a")
        await fill(member, "a", 70)
        await until(lambda: len(member.arrived) == 70)
        await silence(own_kafka)
        writing = [sending(member.router, to, b"70", "bob") for to in "abc"]
        async with asyncio.timeout(2.0):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await member.router.stop()  # as a gateway whose drain is over
            assert await asyncio.gather(*writing) == [Status.UNKNOWN] * 3
        await member.claims.aclose()
        own_kafka.resume()
        await until(lambda: asyncio.all_tasks() == before)
