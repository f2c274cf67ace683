"""Claims: one holder at a time, whoever asks, sleeps, dies or lets go."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from raw import until
from redis import Redis

from wsgateway.brokers import RedisServer
from wsgateway.errors import BrokerUnavailable
from wsgateway.presence.base import claim_key, lease_key
from wsgateway.presence.claims import RedisClaims

MakeClaims = Callable[..., RedisClaims]


@pytest.fixture
async def make_claims(redis_url: str, key_prefix: str) -> AsyncIterator[MakeClaims]:
    made: list[RedisClaims] = []

    def make(holder: str, *, ttl_s: float = 30.0, url: str = redis_url) -> RedisClaims:
        claims = RedisClaims(url, holder, ttl_s=ttl_s, key_prefix=key_prefix, timeout_s=2.0)
        claims.start()
        made.append(claims)
        return claims

    yield make
    for claims in made:
        await claims.aclose()


async def test_of_many_who_ask_at_once_one_holds_it(make_claims: MakeClaims) -> None:
    everyone = [make_claims(f"g{n}") for n in range(20)]
    for _ in range(3):  # and the same one again: that is a renewal
        answers = await asyncio.gather(*[one.hold("adopter") for one in everyone])
        assert answers.count(True) == 1
    holder = everyone[answers.index(True)]
    await asyncio.gather(*[one.release("adopter") for one in everyone if one is not holder])
    assert await holder.hold("adopter")
    await holder.release("adopter")
    answers = await asyncio.gather(*[one.hold("adopter") for one in everyone])
    assert answers.count(True) == 1


async def test_claims_are_apart_by_name_and_from_leases(
    make_claims: MakeClaims, redis: Redis, key_prefix: str
) -> None:
    one, two = make_claims("g1"), make_claims("g2")
    assert await one.hold("topic:g3")
    assert await two.hold("topic:g4")
    assert not await two.hold("topic:g3")
    assert await two.alive(["g3", "g4", "topic:g3"]) == set()
    assert redis.keys(f"{key_prefix}*lease*") == []


async def test_a_claim_that_is_not_renewed_lapses_and_one_that_is_does_not(
    make_claims: MakeClaims, redis: Redis, key_prefix: str
) -> None:
    dead, alive = make_claims("g1", ttl_s=0.2), make_claims("g2", ttl_s=0.2)
    assert await dead.hold("a")
    assert await alive.hold("b")
    other = make_claims("g3")
    while not await other.hold("a"):
        assert await alive.hold("b")
    assert not await dead.hold("a"), "it must see that another has it now"
    await dead.release("a")
    assert await other.hold("a"), "it was not his to release"
    left_ms = redis.pttl(claim_key(key_prefix, "a"))
    assert 0 < left_ms <= 30_000


async def test_alive_is_who_holds_a_lease(
    make_claims: MakeClaims, redis: Redis, key_prefix: str
) -> None:
    claims = make_claims("g1")
    for gateway_id in ("g2", "g4"):
        redis.set(lease_key(key_prefix, gateway_id), "token")
    assert await claims.alive([f"g{n}" for n in range(1, 6)]) == {"g2", "g4"}
    redis.delete(lease_key(key_prefix, "g2"))
    assert await claims.alive(["g2", "g4"]) == {"g4"}
    assert await claims.alive([]) == set()


async def test_a_thousand_gateways_are_asked_about_at_once(make_claims: MakeClaims) -> None:
    assert await make_claims("g1").alive([f"g{n}" for n in range(1_000)]) == set()


async def test_a_dead_redis_is_said_and_a_restarted_one_has_forgotten(
    make_claims: MakeClaims,
) -> None:
    with RedisServer() as server:
        one, two = make_claims("g1", url=server.url), make_claims("g2", url=server.url)
        assert await one.hold("adopter")
        server.kill()
        for asking in (one.hold("adopter"), one.alive(["g2"]), one.release("adopter")):
            with pytest.raises(BrokerUnavailable):
                await asking
        server.restart()
        took = []

        async def take() -> None:
            while not took:
                try:
                    if await two.hold("adopter"):
                        took.append(True)
                except BrokerUnavailable:
                    pass

        taking = asyncio.create_task(take())
        await until(lambda: took)
        await taking


async def test_a_silent_redis_is_bounded(make_claims: MakeClaims) -> None:
    with RedisServer() as server:
        claims = make_claims("g1", url=server.url)
        assert await claims.hold("adopter")
        server.pause()
        async with asyncio.timeout(10):
            with pytest.raises(BrokerUnavailable):
                await claims.hold("adopter")
            await claims.aclose()
            await claims.aclose()
        server.resume()


async def test_after_aclose_it_says_so_and_its_claims_lapse(make_claims: MakeClaims) -> None:
    one, two = make_claims("g1", ttl_s=0.2), make_claims("g2")
    assert await one.hold("adopter")
    await one.aclose()
    with pytest.raises(BrokerUnavailable):
        await one.hold("adopter")
    while not await two.hold("adopter"):
        pass
