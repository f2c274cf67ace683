"""Whole gateways on a real Redis, with raw clients."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from raw import PATIENCE_S, until
from redis.asyncio import Redis
from users import Cluster, DeafUser, User

from wsgateway.brokers import RedisServer, TansuServer
from wsgateway.process import GatewayProcess


@pytest.fixture(params=["redis", "kafka"])
async def cluster(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    tansu_server: TansuServer,
    key_prefix: str,
) -> AsyncIterator[Cluster]:
    kafka = tansu_server.address if request.param == "kafka" else None
    async with Cluster(redis_server, key_prefix, kafka) as made:
        yield made


@pytest.fixture
async def redis_cluster(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Cluster]:
    """For what only a router that keeps nothing does."""
    async with Cluster(redis_server, key_prefix) as made:
        yield made


async def test_a_message_crosses(cluster: Cluster) -> None:
    g1, g2 = await cluster.start("g1", "g2")
    async with User(g1.url, "alice") as alice, User(g2.url, "bob") as bob:
        assert await alice.ask("bob", "hi", "m1") == cluster.on_its_way
        await until(lambda: bob.messages)
        assert bob.messages == [{"type": "message", "from": "alice", "content": "hi", "id": "m1"}]


async def test_on_one_gateway_it_is_delivered(cluster: Cluster) -> None:
    (g1,) = await cluster.start("g1")
    async with User(g1.url, "alice") as alice, User(g1.url, "bob") as bob:
        assert await alice.ask("bob", "hi", "m1") == "delivered"
        await until(lambda: bob.contents == ["hi"])


async def test_nobody_is_offline_and_without_an_id_an_error_says_so(cluster: Cluster) -> None:
    (g1,) = await cluster.start("g1")
    async with User(g1.url, "alice") as alice:
        assert await alice.ask("nobody", "hi", "m1") == "offline"
        await alice.message("nobody", "hi")
        await until(lambda: alice.errors)
        assert alice.errors[0]["code"] == "offline"


@pytest.mark.parametrize("where", ["g1", "g2"])
async def test_a_second_registration_displaces_the_first(cluster: Cluster, where: str) -> None:
    await cluster.start("g1", "g2")
    other = cluster.gateways[where]
    async with (
        User(cluster.gateways["g1"].url, "bob") as first,
        User(other.url, "bob") as second,
        User(other.url, "alice") as alice,
    ):
        await until(lambda: first.closed)
        assert first.closed == (4001, "")
        assert await alice.ask("bob", "hi", "m1") == "delivered"
        await until(lambda: second.contents == ["hi"])
        assert second.closed is None


async def test_a_stale_route_is_corrected_by_forwarding(cluster: Cluster) -> None:
    g1, g2, g3 = await cluster.start("g1", "g2", "g3", route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "before", "m1") == cluster.on_its_way
            await until(lambda: bob.messages)
        await until(lambda: g2.stats()["users"] == 0)
        async with User(g3.url, "bob") as bob:
            assert await alice.ask("bob", "after", "m2") == cluster.on_its_way
            await until(lambda: bob.contents == ["after"])
            assert g2.stats()["messages"]["forwarded"] == 1
            sent = 1
            async with asyncio.timeout(PATIENCE_S):  # until g1 has learned the way
                while g2.stats()["messages"]["forwarded"] == sent:
                    await alice.ask("bob", f"{sent}", f"later-{sent}")
                    sent += 1
                    await until(lambda sent=sent: len(bob.messages) == sent)
            learned = g2.stats()["messages"]["forwarded"]
            for n in range(sent, sent + 5):
                await alice.ask("bob", f"{n}", f"later-{n}")
            await until(lambda: len(bob.messages) == sent + 5)
            assert g2.stats()["messages"]["forwarded"] == learned, "and keeps to it"
            assert bob.contents == ["after", *map(str, range(1, sent + 5))]


async def test_what_ends_nowhere_after_its_ack_is_reported(cluster: Cluster) -> None:
    """At once, or where it is kept: after bob was away for one presence ttl."""
    g1, g2 = await cluster.start("g1", "g2", route_cache_s=3600, ping_s=0.5, presence_ttl_s=1.0)
    async with User(g1.url, "alice") as alice:
        async with User(g2.url, "bob") as bob:
            assert await alice.ask("bob", "before", "m1") == cluster.on_its_way
            await until(lambda: bob.messages)
        await until(lambda: g2.stats()["users"] == 0)
        assert await alice.ask("bob", "after", "m2") == cluster.on_its_way
        await until(lambda: alice.errors)
        assert (alice.errors[0]["code"], alice.errors[0]["replyTo"]) == ("offline", "m2")
        assert g2.stats()["messages"]["undelivered"] == 1


async def test_records_that_send_it_in_circles_end_after_two_hops(cluster: Cluster) -> None:
    """A record by hand: presence swears bob is on g2, and g2 has never heard of him."""
    g1, g2 = await cluster.start("g1", "g2", ping_s=0.5, presence_ttl_s=1.0)
    async with Redis.from_url(cluster.redis) as redis, User(g1.url, "alice") as alice:
        record = {"gatewayId": "g2", "connId": "nobody", "timestamp": 1}
        await redis.hset(f"{cluster.prefix}presence:bob", mapping=record)  # type: ignore[misc]
        assert await alice.ask("bob", "hi", "m1") == cluster.on_its_way
        await until(lambda: alice.errors)
        assert alice.errors[0]["replyTo"] == "m1"
        assert g2.stats()["messages"]["received"] == 1


@pytest.mark.parametrize("to", ["g1", "g2"])
async def test_a_repeated_id_arrives_once(cluster: Cluster, to: str) -> None:
    await cluster.start("g1", "g2")
    home = cluster.gateways[to]
    async with User(cluster.gateways["g1"].url, "alice") as alice, User(home.url, "bob") as bob:
        for _ in range(3):
            await alice.message("bob", "hi", id="m1")
        await alice.ask("bob", "end", "m2")
        await until(lambda: alice.ack_count == 4 and len(bob.messages) >= 2)
        assert bob.contents == ["hi", "end"]
        assert home.stats()["messages"]["duplicate"] == 2


async def test_order_holds_while_the_recipient_moves(cluster: Cluster) -> None:
    gateways = await cluster.start("g1", "g2", "g3")
    heard: list[str] = []
    streaming = True
    async with User(gateways[0].url, "alice") as alice:

        async def stream() -> int:
            n = 0
            while streaming:
                await alice.message("bob", f"{n}", id=f"m{n}")
                n += 1
                await until(lambda n=n: alice.ack_count > n - 40)
            return n

        users = []
        sending = asyncio.create_task(stream())
        for move in range(30):
            user = await User(gateways[move % 3].url, "bob").__aenter__()
            users.append(user)
            await until(lambda user=user: len(user.messages) >= 5)
        streaming = False
        sent = await sending
        await until(lambda: alice.ack_count == sent)

        def lost() -> set[str]:
            """All that was not refused, or reported later, and has not arrived."""
            arrived = {f"m{text}" for user in users for text in user.contents}
            reported = {str(error.get("replyTo")) for error in alice.errors}
            failed = {i for i, status in alice.acks.items() if status in ("offline", "unknown")}
            return {f"m{n}" for n in range(sent)} - arrived - reported - failed

        await until(lambda: not lost())
        for user in users:
            heard += user.contents
            await user.__aexit__()
    numbers = [int(text) for text in heard]
    assert numbers == sorted(set(numbers)), "in order, and each once"


async def test_the_trace_tells_each_stage(cluster: Cluster) -> None:
    g1, g2, g3 = await cluster.start("g1", "g2", "g3", route_cache_s=3600)
    async with User(g1.url, "alice") as alice:
        async with User(g1.url, "bob") as bob:
            await alice.message("bob", "near", trace=True)
            await until(lambda: bob.messages)
            assert stages(bob.messages[0]) == ["g1 received", "g1 outbox"]
        async with User(g2.url, "bob") as bob:
            await alice.message("bob", "far", trace=True)
            await until(lambda: bob.messages)
            across = ["g1 received", "g1 resolved", "g2 arrived"]
            assert stages(bob.messages[0]) == [*across, "g2 outbox"]
        await until(lambda: g2.stats()["users"] == 0)
        async with User(g3.url, "bob") as bob:
            await alice.message("bob", "moved", trace=True)
            await until(lambda: bob.messages)
            assert stages(bob.messages[0]) == [*across, "g2 resolved", "g3 arrived", "g3 outbox"]


def stages(message: dict[str, object]) -> list[str]:
    trace = message["trace"]
    assert isinstance(trace, list)
    assert [hop["us"] for hop in trace] == sorted(hop["us"] for hop in trace)
    return [f"{hop['at']} {hop['stage']}" for hop in trace]


async def test_a_session_that_lost_its_user_is_closed_at_its_next_ping(cluster: Cluster) -> None:
    """Its gateway never heard of the successor: the refresh finds out."""
    (g1,) = await cluster.start("g1")
    async with Redis.from_url(cluster.redis) as redis, User(g1.url, "bob") as zombie:
        record = {"gatewayId": "g9", "connId": "newer", "timestamp": 2**52}
        await redis.hset(f"{cluster.prefix}presence:bob", mapping=record)  # type: ignore[misc]
        await zombie.say(type="ping")
        await until(lambda: zombie.closed)
        assert zombie.closed is not None
        assert zombie.closed[0] == 4001
        assert g1.stats()["presence"]["superseded"] == 1
        await until(lambda: g1.stats()["connections"] == 0)
        assert await redis.hget(f"{cluster.prefix}presence:bob", "gatewayId") == b"g9"  # type: ignore[misc]


async def test_a_crashed_gateway_is_offline_until_its_user_is_back(
    redis_cluster: Cluster, redis_server: RedisServer
) -> None:
    (g1,) = await redis_cluster.start("g1")
    flags = ("--key-prefix", redis_cluster.prefix)
    async with (
        GatewayProcess("g2", redis=redis_server.url, flags=flags) as g2,
        User(g1.url, "alice") as alice,
    ):
        async with User(g2.url, "bob"):
            assert await alice.ask("bob", "1", "m1") == "routed"
            g2.kill()
            await g2.wait()
        statuses = [await alice.ask("bob", "2", f"m2-{n}") for n in range(50)]
        assert statuses[-1] == "offline"
        assert statuses == sorted(statuses, reverse=True), "routed until Redis noticed"
        async with User(g1.url, "bob") as bob:
            assert await alice.ask("bob", "3", "m3") == "delivered"
            await until(lambda: bob.contents == ["3"])


async def test_what_a_replaced_connection_left_unwritten_follows_the_user(
    cluster: Cluster,
) -> None:
    """The first bob stops reading: his outbox fills, and the second bob gets the rest in order."""
    g1, g2 = await cluster.start("g1", "g2", outbox_bytes=64 << 20)
    size = 60_000
    async with User(g1.url, "alice") as alice, User(g1.url, "bob") as first:
        first.stop_reading()
        for n in range(300):
            await alice.message("bob", f"{n:03}".ljust(size, "."))
            if g1.stats()["queues"]["outboxBytes"] > 20 * size:
                break
        await until(lambda: g1.stats()["queues"]["outboxBytes"] > 20 * size)
        async with User(g2.url, "bob") as second:
            await until(lambda: g1.stats()["users"] == 1)
            await until(lambda: second.messages and second.messages[-1]["content"][:3] == f"{n:03}")
            numbers = [int(text[:3]) for text in second.contents]
            assert numbers == list(range(numbers[0], n + 1))
            assert len(numbers) >= 20
        first.vanish()


@pytest.mark.parametrize("outbox_bytes", [1 << 20, 64 << 20], ids=["overflows", "stalls"])
async def test_a_deaf_client_is_dropped_for_good(cluster: Cluster, outbox_bytes: int) -> None:
    """It does not even read the close frame, so only dropping its socket ends it."""
    (g1,) = await cluster.start("g1", outbox_bytes=outbox_bytes, stall_s=0.5, close_timeout_s=0.2)
    async with User(g1.url, "alice") as alice, DeafUser(g1.url, "deaf"):
        for n in range(150):  # more than the sockets between them can hold
            await alice.message("deaf", "x" * 60_000, id=f"m{n}")
        await until(lambda: g1.stats()["connections"] == 1)
        assert g1.stats()["closed"] == {"4004": 1}
        await until(lambda: alice.ack_count == 150)
        assert {"delivered"} < set(alice.acks.values())
        assert await alice.ask("deaf", "hi", "last") == "offline"
