"""One live gateway per id, held by a lease; small ttl, and order rather than milliseconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis import Redis

from wsgateway.brokers import RedisServer
from wsgateway.errors import GatewayIdTaken, LeaseLost, RedisUnavailable
from wsgateway.presence.lease import Lease

TTL_S = 1.0

Make = Callable[..., Lease]


async def nothing_forgotten() -> None:
    pytest.fail("Redis forgot nothing")


@pytest.fixture
async def make(redis_url: str, key_prefix: str) -> AsyncIterator[Make]:
    """Make leases on the id g1; all are closed in the end."""
    async with AsyncExitStack() as stack:

        def make(
            gateway_id: str = "g1",
            *,
            ttl_s: float = TTL_S,
            url: str = redis_url,
            on_forgotten: Callable[[], Awaitable[None]] = nothing_forgotten,
        ) -> Lease:
            lease = Lease(
                url,
                gateway_id,
                ttl_s=ttl_s,
                key_prefix=key_prefix,
                timeout_s=5,
                on_forgotten=on_forgotten,
            )
            stack.push_async_callback(lease.aclose)
            return lease

        yield make


async def held_and_kept(make: Make, holder: str) -> tuple[Lease, asyncio.Task[None]]:
    lease = make()
    await lease.acquire(holder)
    return lease, asyncio.create_task(lease.keep())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def test_a_live_duplicate_is_refused_and_told_who_holds_it(make: Make) -> None:
    _, keeping = await held_and_kept(make, "host-a, pid 7, ws://127.0.0.1:8080/ws")
    with pytest.raises(GatewayIdTaken) as caught:
        await make().acquire("host-b")
    assert str(caught.value) == (
        "gateway id 'g1' is held by a live gateway: host-a, pid 7, ws://127.0.0.1:8080/ws"
    )
    assert not keeping.done()
    await stop(keeping)


async def test_another_id_is_free(make: Make) -> None:
    _, keeping = await held_and_kept(make, "host-a")
    await make("g2").acquire("host-b")
    await stop(keeping)


async def test_a_crashed_holder_lets_its_successor_in_by_itself(make: Make, redis: Redis) -> None:
    _, keeping = await held_and_kept(make, "before the crash")
    await stop(keeping)  # never released: what a SIGKILL leaves behind
    successor = make()
    await successor.acquire("after the crash")
    assert redis.hget(successor._key, "holder") == "after the crash"


async def test_of_two_successors_one_gets_in(make: Make) -> None:
    _, keeping = await held_and_kept(make, "before the crash")
    await stop(keeping)
    outcomes = await asyncio.gather(
        make().acquire("one"), make().acquire("two"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [GatewayIdTaken]


async def test_a_released_id_is_free_at_once(make: Make) -> None:
    first = make(ttl_s=3600)
    await first.acquire("first")
    await first.aclose()
    await asyncio.wait_for(make(ttl_s=3600).acquire("second"), 30)


async def test_releasing_leaves_a_successors_lease_alone(make: Make, redis: Redis) -> None:
    first = make()
    await first.acquire("first")
    redis.delete(first._key)
    second = make()
    await second.acquire("second")
    await first.aclose()
    assert redis.hget(second._key, "holder") == "second"


async def test_a_holder_that_slept_past_its_ttl_finds_it_lost(make: Make) -> None:
    first = make()
    await first.acquire("the sleeper")  # it does not renew: it sleeps
    second, keeping = await held_and_kept(make, "the one awake")
    with pytest.raises(LeaseLost, match="'g1' was taken over by the one awake"):
        await asyncio.wait_for(first.keep(), 30)
    assert second.failure is None
    await stop(keeping)


async def test_a_redis_that_forgot_is_noticed_and_the_id_taken_again(
    make: Make, redis: Redis
) -> None:
    forgotten = asyncio.Event()

    async def announce() -> None:
        forgotten.set()

    lease = make(on_forgotten=announce)
    await lease.acquire("host-a")
    keeping = asyncio.create_task(lease.keep())
    redis.delete(lease._key)
    await asyncio.wait_for(forgotten.wait(), 30)
    assert redis.hget(lease._key, "holder") == "host-a"
    assert not keeping.done()
    await stop(keeping)


async def test_renewal_keeps_it_beyond_its_ttl(make: Make, redis: Redis) -> None:
    lease, keeping = await held_and_kept(make, "host-a")
    await asyncio.sleep(2 * TTL_S)
    assert redis.hget(lease._key, "holder") == "host-a"
    await stop(keeping)


async def test_without_redis_it_says_so_and_goes_on_when_it_is_back(make: Make) -> None:
    forgotten = asyncio.Event()

    async def announce() -> None:
        forgotten.set()

    with RedisServer() as server:
        lease = make(url=server.url, on_forgotten=announce)
        await lease.acquire("host-a")
        keeping = asyncio.create_task(lease.keep())
        server.kill()
        async with asyncio.timeout(30):
            while lease.failure is None:  # noqa: ASYNC110  (only the lease itself knows)
                await asyncio.sleep(0.01)
        assert "Redis" in lease.failure
        server.restart()
        await asyncio.wait_for(forgotten.wait(), 30)
        assert lease.failure is None
        await stop(keeping)
        await lease.aclose()


async def test_an_unreachable_redis_at_the_start(make: Make) -> None:
    with RedisServer() as server:
        url = server.url
    with pytest.raises(RedisUnavailable):
        await make(url=url).acquire("host-a")


async def test_what_could_not_be_announced_is_announced_again(make: Make, redis: Redis) -> None:
    attempts = asyncio.Semaphore(0)

    async def announce() -> None:
        attempts.release()
        raise RedisUnavailable("not yet")

    lease = make(on_forgotten=announce)
    await lease.acquire("host-a")
    keeping = asyncio.create_task(lease.keep())
    redis.delete(lease._key)
    async with asyncio.timeout(30):
        for _ in range(2):
            await attempts.acquire()
    assert not keeping.done()
    await stop(keeping)
