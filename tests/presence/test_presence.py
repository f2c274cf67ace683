"""The three Lua files on a real server, through the pipeline the gateway uses."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from wsgateway.brokers import RedisServer
from wsgateway.errors import BrokerUnavailable, RedisUnavailable
from wsgateway.presence.base import Owner, Refresh, Registration
from wsgateway.presence.redis import RedisPresence

TTL_S = 60.0
FAR_FUTURE = 2**53 - 1000  # the year 2255, in microseconds


@pytest.fixture
async def presence(redis_url: str, key_prefix: str) -> AsyncIterator[RedisPresence]:
    async with RedisPresence(
        redis_url, ttl_s=TTL_S, key_prefix=key_prefix, timeout_s=5
    ) as presence:
        yield presence


def write(redis: Redis, presence: RedisPresence, conn: str, timestamp: object) -> None:
    """Put a record of bob's into Redis by hand."""
    record = {"gatewayId": "g0", "connId": conn, "timestamp": str(timestamp)}
    redis.hset(presence.key("bob"), mapping=record)


async def test_register_writes_the_record_and_its_ttl_in_ms(
    redis: Redis, presence: RedisPresence, key_prefix: str
) -> None:
    seconds, micros = redis.time()
    registration = await presence.register("bob", "g1", "c1")
    assert registration.displaced is None
    assert registration.epoch >= seconds * 1_000_000 + micros
    assert redis.hgetall(f"{key_prefix}presence:bob") == {
        "gatewayId": "g1",
        "connId": "c1",
        "timestamp": str(registration.epoch),
    }
    assert TTL_S * 500 < redis.pttl(f"{key_prefix}presence:bob") <= TTL_S * 1000


async def test_epochs_strictly_increase_whatever_the_clock_says(
    redis: Redis, presence: RedisPresence
) -> None:
    epochs = [(await presence.register("bob", "g1", f"c{n}")).epoch for n in range(20)]
    write(redis, presence, "future", FAR_FUTURE)
    epochs += [FAR_FUTURE]
    epochs += [(await presence.register("bob", "g1", f"d{n}")).epoch for n in range(20)]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == FAR_FUTURE + 20


async def test_register_names_whom_it_displaced(presence: RedisPresence) -> None:
    first = await presence.register("bob", "g1", "c1")
    second = await presence.register("bob", "g2", "c2")
    assert second.displaced == Owner("g1", "c1", first.epoch)
    assert await presence.lookup("bob") == Owner("g2", "c2", second.epoch)


async def test_refresh_of_the_same_connection_extends_the_ttl_and_changes_nothing(
    redis: Redis, presence: RedisPresence
) -> None:
    epoch = (await presence.register("bob", "g1", "c1")).epoch
    redis.pexpire(presence.key("bob"), 1000)
    assert await presence.refresh("bob", "g1", "c1", epoch) is Refresh.REFRESHED
    assert redis.pttl(presence.key("bob")) > 1000
    assert await presence.lookup("bob") == Owner("g1", "c1", epoch)


async def test_refresh_restores_what_expired(redis: Redis, presence: RedisPresence) -> None:
    epoch = (await presence.register("bob", "g1", "c1")).epoch
    redis.pexpire(presence.key("bob"), 1)
    while redis.exists(presence.key("bob")):
        pass
    assert await presence.lookup("bob") is None
    assert await presence.refresh("bob", "g1", "c1", epoch) is Refresh.RESTORED
    assert await presence.lookup("bob") == Owner("g1", "c1", epoch)
    assert redis.pttl(presence.key("bob")) > 1000


async def test_refresh_replaces_an_older_session(presence: RedisPresence) -> None:
    old = (await presence.register("bob", "g1", "c1")).epoch
    assert await presence.refresh("bob", "g2", "c2", old + 1) is Refresh.RESTORED
    assert await presence.lookup("bob") == Owner("g2", "c2", old + 1)


async def test_refresh_gives_way_to_a_newer_session(redis: Redis, presence: RedisPresence) -> None:
    old = (await presence.register("bob", "g1", "c1")).epoch
    new = (await presence.register("bob", "g2", "c2")).epoch
    redis.pexpire(presence.key("bob"), 1000)
    assert await presence.refresh("bob", "g1", "c1", old) is Refresh.SUPERSEDED
    assert await presence.lookup("bob") == Owner("g2", "c2", new)
    assert redis.pttl(presence.key("bob")) <= 1000


async def test_a_late_cleanup_leaves_the_new_session_alone(
    redis: Redis, presence: RedisPresence
) -> None:
    """T=100 bob is on g1; T=101 he registers on g2; T=102 g1 cleans up: later, not newer."""
    await presence.register("bob", "g1", "T100")
    new = (await presence.register("bob", "g2", "T101")).epoch
    assert await presence.unregister("bob", "T100") is False
    assert await presence.lookup("bob") == Owner("g2", "T101", new)
    assert await presence.unregister("bob", "T101") is True
    assert redis.exists(presence.key("bob")) == 0
    assert await presence.unregister("bob", "T101") is False


async def test_a_lookup_sees_the_register_before_it_and_ends_after_it(
    presence: RedisPresence,
) -> None:
    ended: list[str] = []
    registering = presence.register("bob", "g1", "c1")
    looking = presence.lookup("bob")
    for name, future in (("lookup", looking), ("register", registering)):
        future.add_done_callback(lambda _, name=name: ended.append(name))
    owner = await looking
    assert owner is not None
    assert owner.epoch == registering.result().epoch
    assert ended == ["register", "lookup"]


async def test_scripts_forgotten_by_redis_are_loaded_again_and_order_holds(
    redis: Redis, presence: RedisPresence
) -> None:
    await presence.register("bob", "g1", "c1")
    redis.script_flush()
    removing, looking = presence.unregister("bob", "c1"), presence.lookup("bob")
    assert await removing is True
    assert await looking is None, "answered again, behind the script"


async def test_after_a_flush_a_refresh_does_not_slip_behind_the_cleanup_it_preceded(
    redis: Redis, presence: RedisPresence
) -> None:
    epoch = (await presence.register("bob", "g1", "c1")).epoch
    redis.script_flush()
    redis.delete(presence.key("bob"))
    await presence.unregister("bob", "c1")  # Redis knows this script again
    refreshing, removing = (
        presence.refresh("bob", "g1", "c1", epoch),
        presence.unregister("bob", "c1"),
    )
    assert await refreshing is Refresh.RESTORED
    assert await removing is True
    assert await presence.lookup("bob") is None


async def test_many_operations_share_round_trips(presence: RedisPresence) -> None:
    await presence.lookup("warm-up")
    before = presence.round_trips
    await asyncio.gather(*(presence.register(f"u{n}", "g1", f"c{n}") for n in range(200)))
    assert presence.round_trips - before <= 2
    assert presence.operations["register"] == 200


@pytest.mark.parametrize("key_type", ["string", "list"])
async def test_a_foreign_key_fails_its_own_user_only(
    redis: Redis, presence: RedisPresence, key_type: str
) -> None:
    if key_type == "string":
        redis.set(presence.key("bob"), "x")
    else:
        redis.rpush(presence.key("bob"), "x")
    bob, carol = presence.register("bob", "g1", "c1"), presence.register("carol", "g1", "c2")
    where = presence.lookup("bob")
    with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
        await bob
    with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
        await where
    assert isinstance(await carol, Registration)


@pytest.mark.parametrize(
    "record",
    [
        {"gatewayId": "g0"},
        {"gatewayId": "g0", "connId": "c0", "timestamp": "yesterday"},
        {"gatewayId": b"\xff", "connId": "c0", "timestamp": "1"},
        {"gatewayId": "", "connId": "", "timestamp": ""},
    ],
)
async def test_a_record_written_by_hand_disturbs_nobody_and_is_replaced(
    redis: Redis, presence: RedisPresence, record: dict[str, str | bytes]
) -> None:
    redis.hset(presence.key("bob"), mapping=record)
    owner, refreshing = presence.lookup("bob"), presence.refresh("carol", "g1", "c2", 1)
    assert await owner is None
    assert await refreshing is Refresh.RESTORED
    registration = await presence.register("bob", "g1", "c1")
    assert registration.displaced is None
    assert await presence.lookup("bob") == Owner("g1", "c1", registration.epoch)


async def test_a_refresh_replaces_a_timestamp_that_is_no_number(
    redis: Redis, presence: RedisPresence
) -> None:
    write(redis, presence, "c0", "yesterday")
    assert await presence.refresh("bob", "g1", "c1", 7) is Refresh.RESTORED
    assert await presence.lookup("bob") == Owner("g1", "c1", 7)


async def test_redis_gone_is_said_at_once_and_its_return_noticed() -> None:
    with RedisServer() as server:
        async with RedisPresence(server.url, ttl_s=60, key_prefix="", timeout_s=5) as presence:
            epoch = (await presence.register("bob", "g1", "c1")).epoch
            server.kill()
            gone = [presence.lookup("bob"), presence.refresh("bob", "g1", "c1", epoch)]
            for answer in await asyncio.gather(*gone, return_exceptions=True):
                assert isinstance(answer, RedisUnavailable)
            server.restart()
            assert await presence.refresh("bob", "g1", "c1", epoch) is Refresh.RESTORED


async def test_a_late_reply_is_never_taken_for_the_next_ones() -> None:
    with RedisServer() as server:
        async with RedisPresence(server.url, ttl_s=60, key_prefix="", timeout_s=0.2) as presence:
            await presence.register("bob", "g1", "c1")
            server.pause()
            with pytest.raises(RedisUnavailable, match="did not answer"):
                await presence.register("carol", "g1", "c2")
            server.resume()
            found = await asyncio.gather(*(presence.lookup(user) for user in ("bob", "dave")))
            assert [owner and owner.conn_id for owner in found] == ["c1", None]


async def test_what_waits_when_it_closes_fails(redis_server: RedisServer) -> None:
    presence = RedisPresence(redis_server.url, ttl_s=60, key_prefix="", timeout_s=5)
    async with presence:
        waiting = presence.lookup("bob")
    with pytest.raises(BrokerUnavailable):
        await waiting
    with pytest.raises(BrokerUnavailable):
        await presence.lookup("bob")
