"""The two experiments of lesson 8, with real processes: an outage, and a crash beside a drain."""

import asyncio
from collections.abc import Sequence

from wsgateway.lab import servers
from wsgateway.lab.language import say
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.reconnect.account import Account
from wsgateway.lab.reconnect.crowd import Job
from wsgateway.lab.reconnect.policies import POLICIES
from wsgateway.lab.reconnect.stage import Stage

_TIMEOUT_S = 100.0
# Why: whoever waits 1 s finds nobody, whoever waits 3 s finds the replacement, on a busy machine
# too: it takes a second or so from its start to its first connection.
# 原因：等 1 s 的人谁也找不到，等 3 s 的人能找到替补，机器再忙也是如此：
# 替补从启动到接受第一个连接要一秒左右。
_REPLACED_S = 1.2


def outage(*, clients: int = 1_000, seed: int = 8) -> Account:
    """Kill the one gateway under clients of four groups, one for each schedule.

    A replacement with another id starts at the same address, as behind a load balancer.

    Args:
        clients: in all, a quarter in each group, each group in a process of its own.
        seed: of their waits; printed, to replay a run.
    """
    names = list(POLICIES)
    account = shared_loop().run(_on_lesson_redis(names, clients // len(names), seed), _TIMEOUT_S)
    say(
        f"One gateway killed under {clients:,} connections, seed {seed}.",
        f"一个网关在 {clients:,} 条连接下被杀，种子 {seed}。",
    )
    return account


def farewells(*, clients: int = 1_000, seed: int = 8) -> Account:
    """End two gateways in the same moment, one by SIGKILL, one by SIGTERM; a third survives.

    Args:
        clients: in all, half of them on each of the two.
        seed: of their waits; printed, to replay a run.
    """

    async def run() -> Account:
        redis = await servers.redis()
        return await part(redis.address, redis.name, clients // 2, seed)

    account = shared_loop().run(run(), _TIMEOUT_S)
    say(
        f"Two gateways gone, {clients:,} connections, seed {seed}.",
        f"两个网关离场，{clients:,} 条连接，种子 {seed}。",
    )
    return account


async def _on_lesson_redis(names: Sequence[str], each: int, seed: int) -> Account:
    redis = await servers.redis()
    return await restart(redis.address, redis.name, names, each, seed)


async def restart(redis: str, broker: str, names: Sequence[str], each: int, seed: int) -> Account:
    """Kill a gateway, replace it, and wait until everyone is back.

    Args:
        redis: URL of the Redis to use.
        broker: what that is.
        names: schedules, one group for each.
        each: clients of one group.
        seed: of their waits.
    """
    async with Stage(redis, broker, seed) as stage:
        victim, port = await stage.gateway("g1")
        urls = [victim.url]
        await stage.join(
            [Job(name, each, urls, POLICIES[name].waits(each, seed), seed) for name in names]
        )

        async def death() -> float:
            victim.kill()
            stage.live.discard("g1")
            await victim.wait()
            await asyncio.sleep(_REPLACED_S - stage.now_s)
            await stage.gateway("g2", port)
            return stage.now_s

        return await stage.die(death)


async def part(redis: str, broker: str, each: int, seed: int) -> Account:
    """Kill one gateway and drain another; their clients, as shipped, go to a third.

    Args:
        redis: URL of the Redis to use.
        broker: what that is.
        each: clients of each of the two.
        seed: of their waits.
    """
    async with Stage(redis, broker, seed) as stage:
        (crashing, _), (draining, _), (survivor, _) = await asyncio.gather(
            *(stage.gateway(name) for name in ("g1", "g2", "g3"))
        )
        jobs = [
            Job("crash", each, [crashing.url, survivor.url], None, seed),
            Job("drain", each, [draining.url, survivor.url], None, seed),
        ]
        await stage.join(jobs)

        async def death() -> None:
            crashing.kill()
            draining.terminate()
            stage.live.discard("g1")
            await draining.wait()
            stage.live.discard("g2")

        return await stage.die(death)
