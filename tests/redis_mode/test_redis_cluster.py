"""A real cluster that changes under the gateways: slots move, nodes crash, replicas take over."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from raw import sending, until
from users import Cluster, User

from wsgateway.brokers import RedisCluster
from wsgateway.brokers.redis_cluster import ClusterNode
from wsgateway.errors import RedisUnavailable
from wsgateway.fate import Kept
from wsgateway.presence.base import Refresh
from wsgateway.presence.redis import RedisPresence
from wsgateway.protocol import Status
from wsgateway.routers.redis import RedisRouter, channel_of


class Inbox(list[bytes]):
    """Takes everything in."""

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        self.append(data)


@pytest.fixture
def own_cluster() -> Iterator[RedisCluster]:
    """Three masters with a replica each, for one test that may kill them."""
    with RedisCluster(replicas=True) as cluster:
        yield cluster


def other_than(node: ClusterNode, cluster: RedisCluster) -> ClusterNode:
    return next(one for one in cluster.masters if one is not node)


def router(cluster: RedisCluster, gateway_id: str, prefix: str, canary_s: float = 5) -> RedisRouter:
    return RedisRouter(cluster.url, gateway_id, canary_s=canary_s, key_prefix=prefix, timeout_s=2)


def gaps(one: RedisRouter) -> int:
    return one.health().counters["gaps"]


async def test_a_users_records_stay_in_order_while_its_slot_is_on_the_move(
    redis_cluster: RedisCluster, key_prefix: str
) -> None:
    """ASK before the key is moved, NOSCRIPT where the scripts are new, MOVED in the end."""
    async with RedisPresence(
        redis_cluster.url, ttl_s=60, key_prefix=key_prefix, timeout_s=5
    ) as presence:
        first = await presence.register("bob", "g1", "c1")
        key = presence.key("bob")
        target = other_than(redis_cluster.owner(key), redis_cluster)
        target.ask("SCRIPT FLUSH")
        await asyncio.to_thread(redis_cluster.begin_move, key, target)
        for user in ("bob", "carol", "dave"):
            registering, looking = presence.register(user, "g2", "c2"), presence.lookup(user)
            owner = await looking
            assert owner is not None
            assert owner.epoch == (await registering).epoch
        assert (await presence.register("bob", "g2", "c3")).epoch > first.epoch
        await asyncio.to_thread(redis_cluster.end_move, key, target)
        registering, looking = presence.register("bob", "g3", "c4"), presence.lookup("bob")
        displaced = (await registering).displaced
        assert displaced is not None
        assert displaced.conn_id == "c3"
        owner = await looking
        assert owner is not None
        assert owner.conn_id == "c4"


async def test_a_new_user_in_a_slot_on_the_move_is_written_once(
    redis_cluster: RedisCluster, key_prefix: str
) -> None:
    async with RedisPresence(
        redis_cluster.url, ttl_s=60, key_prefix=key_prefix, timeout_s=5
    ) as presence:
        await presence.lookup("warm-up")
        key = presence.key("erin")
        target = other_than(redis_cluster.owner(key), redis_cluster)
        target.ask("SCRIPT FLUSH")
        await asyncio.to_thread(redis_cluster.begin_move, key, target)
        epoch = (await presence.register("erin", "g1", "c1")).epoch
        assert await presence.refresh("erin", "g1", "c1", epoch) is Refresh.REFRESHED
        assert await presence.unregister("erin", "c1") is True
        await asyncio.to_thread(redis_cluster.end_move, key, target)
        assert await presence.lookup("erin") is None


async def test_a_channel_whose_slot_moves_is_followed_and_the_gap_counted(
    redis_cluster: RedisCluster, key_prefix: str
) -> None:
    inbox = Inbox()
    one, two = (router(redis_cluster, name, key_prefix) for name in ("one", "two"))
    await one.start(Inbox())
    await two.start(inbox)
    try:
        assert await sending(one, "two", b"before", "bob") is Status.ROUTED
        channel = channel_of(key_prefix, "two")
        target = other_than(redis_cluster.owner(channel), redis_cluster)
        await asyncio.to_thread(redis_cluster.move, channel, target)
        await until(lambda: gaps(two) == 1 and two.health().ok)
        assert await sending(one, "two", b"after", "bob") is Status.ROUTED
        await until(lambda: inbox == [b"before", b"after"])
        assert gaps(one) == 0
    finally:
        await one.stop()
        await two.stop()


async def test_order_holds_while_slots_move_to_and_fro(
    redis_cluster: RedisCluster, key_prefix: str
) -> None:
    inbox = Inbox()
    one, two = (router(redis_cluster, name, key_prefix) for name in ("one", "two"))
    await one.start(Inbox())
    await two.start(inbox)
    channel = channel_of(key_prefix, "two")
    moving, sent = True, 0
    fates: list[Status] = []

    async def send() -> None:
        nonlocal sent
        for n in itertools.count():
            one.route_to_gateway("two", b"%d" % n, "bob", fates.append)
            sent += 1
            if not moving and n % 10 == 0:
                return
            await asyncio.sleep(0.001)

    try:
        sender = asyncio.create_task(send())
        for _ in range(4):
            source = await asyncio.to_thread(redis_cluster.owner, channel)
            target = other_than(source, redis_cluster)
            await asyncio.to_thread(redis_cluster.move, channel, target)
        moving = False
        await sender
        await until(lambda: two.health().ok)
        assert await sending(one, "two", b"999999", "bob") is Status.ROUTED
        await until(lambda: inbox[-1] == b"999999")
        numbers = [int(one) for one in inbox]
        assert numbers == sorted(set(numbers)), "in order, none twice"
        assert Status.ROUTED in fates
        assert len(fates) == sent, "each told once"
    finally:
        await one.stop()
        await two.stop()


async def test_a_node_that_crashes_is_replaced_by_its_replica(
    own_cluster: RedisCluster, key_prefix: str
) -> None:
    inbox = Inbox()
    one, two = (router(own_cluster, name, key_prefix) for name in ("one", "two"))
    await one.start(Inbox())
    await two.start(inbox)
    async with RedisPresence(
        own_cluster.url, ttl_s=60, key_prefix=key_prefix, timeout_s=2
    ) as presence:
        try:
            await presence.register("bob", "two", "c1")
            victim = own_cluster.owner(channel_of(key_prefix, "two"))
            victim.kill()
            await until(lambda: gaps(two) >= 1)
            assert not two.health().ok
            await until(lambda: two.health().ok and one.health().ok)
            while (fate := await sending(one, "two", b"after", "bob")) is not Status.ROUTED:
                assert fate is Status.UNKNOWN, "who dials the dead node learns of its successor"
            await until(lambda: inbox == [b"after"])
            await until_answered(presence, "bob")
            await asyncio.to_thread(victim.restart)
            await asyncio.to_thread(own_cluster.await_well)
            assert await sending(one, "two", b"again", "bob") is Status.ROUTED
        finally:
            await one.stop()
            await two.stop()


async def until_answered(presence: RedisPresence, user: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await presence.lookup(user)
                return
            except RedisUnavailable:
                await asyncio.sleep(0.05)


async def test_a_master_that_becomes_a_replica_is_left(
    own_cluster: RedisCluster, key_prefix: str
) -> None:
    """Its subscribers would still be served, while publishers count nobody."""
    inbox = Inbox()
    one = router(own_cluster, "one", key_prefix)
    two = router(own_cluster, "two", key_prefix, canary_s=0.2)
    await one.start(Inbox())
    await two.start(inbox)
    try:
        master = own_cluster.owner(channel_of(key_prefix, "two"))
        replica = own_cluster.replicas[own_cluster.masters.index(master)]
        replica.ask("CLUSTER FAILOVER")
        await until(lambda: replica.ask("ROLE")[0] == "master")
        await until(lambda: gaps(two) >= 1 and two.health().ok)
        first = await sending(one, "two", b"first", "bob")
        assert first in (Status.UNKNOWN, Status.ROUTED), "a replica counts nobody: no answer"
        assert await sending(one, "two", b"after", "bob") is Status.ROUTED
        await until(lambda: b"after" in inbox)
        assert inbox in ([b"after"], [b"first", b"after"])
    finally:
        await one.stop()
        await two.stop()


async def test_users_keep_talking_while_a_node_fails_over(
    own_cluster: RedisCluster, key_prefix: str
) -> None:
    """End to end: gateways, users, a crash; nothing twice, in order, and every fate told."""
    async with Cluster(own_cluster.url, key_prefix) as cluster:
        g1, g2 = await cluster.start("g1", "g2", lease_ttl_s=10)
        async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "0", "m0") == "routed"
            own_cluster.owner(channel_of(key_prefix, "g2")).kill()
            count = 0
            await until(lambda: g2.health()["status"] == "degraded")
            while g2.health()["status"] != "ok" or count < 20:
                count += 1
                await alice.ask("bob", str(count), f"m{count}")
            assert await alice.ask("bob", "last", "last") == "routed"
            await until(lambda: "last" in bob.contents)
            numbers = [int(one) for one in bob.contents[:-1]]
            assert numbers == sorted(set(numbers))
            assert alice.closed is None
            assert bob.closed is None
            told = [alice.acks[f"m{n}"] for n in range(count + 1)]
            assert set(told) <= {"routed", "unknown", "offline"}
            lost = [n for n in range(count + 1) if told[n] == "routed" and n not in numbers]
            assert not lost
