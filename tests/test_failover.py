"""What the issue asks to be shown: Redis lost and back under load, and a ledger that balances."""

import asyncio
import random
from collections import Counter, defaultdict

from raw import until
from redis.asyncio import Redis
from users import Cluster, User

from wsgateway.brokers import RedisServer


async def join(cluster: Cluster, count: int) -> list[User]:
    """Register `count` users, spread over the gateways, 100 at a time."""
    gateways = list(cluster.gateways.values())
    users = [User(gateways[n % len(gateways)].url, f"user-{n}") for n in range(count)]
    for start in range(0, count, 100):
        await asyncio.gather(*(user.__aenter__() for user in users[start : start + 100]))
    return users


async def leave(users: list[User]) -> None:
    for start in range(0, len(users), 200):
        await asyncio.gather(*(user.__aexit__() for user in users[start : start + 200]))


async def test_redis_killed_and_back_empty_under_200_users(key_prefix: str) -> None:
    with RedisServer() as server:
        async with Cluster(server, key_prefix) as cluster:
            gateways = await cluster.start("g1", "g2", "g3")
            users = await join(cluster, 200)
            server.kill()
            await until(lambda: all(g.health()["status"] == "degraded" for g in gateways))
            for gateway in gateways:
                assert not gateway.health()["router"]["ok"]
                assert gateway.health()["why"]
            assert await users[0].ask("user-1", "hi", "down") == "unknown"
            await asyncio.to_thread(server.restart)

            async with Redis.from_url(server.url) as redis:
                async with asyncio.timeout(gateways[0].config.ping_s):
                    while await redis.dbsize() < 200 + len(gateways):  # leases too  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                present = {key async for key in redis.scan_iter(f"{key_prefix}presence:*")}
            assert len(present) == 200
            await until(lambda: all(g.health()["status"] == "ok" for g in gateways))
            assert [g.stats()["router"]["gaps"] for g in gateways] == [1, 1, 1]
            assert sum(g.stats()["presence"]["restored"] for g in gateways) == 200
            assert [user.closed for user in users] == [None] * 200, "no socket drops"
            assert await users[0].ask("user-1", "hi", "up") == "routed"
            await until(lambda: "hi" in users[1].contents)
            await leave(users)


async def test_the_ledger_of_2000_users_balances(
    redis_server: RedisServer, key_prefix: str
) -> None:
    rng = random.Random(2000)
    rounds = 10
    async with Cluster(redis_server, key_prefix) as cluster:
        await cluster.start("g1", "g2", "g3")
        users = await join(cluster, 2_000)
        sent: dict[tuple[str, str], list[str]] = defaultdict(list)
        for n in range(rounds):
            for user in users:
                to = rng.choice(users)
                while to is user:
                    to = rng.choice(users)
                await user.message(to.name, f"{user.name} {n}", id=f"{user.name}-{n}")
                sent[user.name, to.name].append(f"{user.name} {n}")
        total = len(users) * rounds
        await until(lambda: sum(user.ack_count for user in users) == total)
        await until(lambda: sum(len(user.messages) for user in users) >= total)

        heard: dict[tuple[str, str], list[str]] = defaultdict(list)
        for user in users:
            for message in user.messages:
                heard[message["from"], user.name].append(message["content"])
        assert heard == sent, "nothing lost, nothing twice, in order for every pair"
        fates = Counter(status for user in users for status in user.acks.values())
        counts = cluster.counts()
        assert set(fates) == {"delivered", "routed"}
        assert fates.total() == counts["in"] == counts["out"] == total
        assert counts["delivered"] == fates["delivered"]
        assert counts["routed"] == fates["routed"] == counts["received"]
        for name in ("forwarded", "duplicate", "undelivered", "offline", "unknown"):
            assert counts[name] == 0, name
        assert not any(user.errors for user in users)
        await leave(users)
