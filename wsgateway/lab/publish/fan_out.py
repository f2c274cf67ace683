"""Two ways to reach one node of many: a channel for each, or one that everybody reads."""

import asyncio
from contextlib import AsyncExitStack

from redis import asyncio as redis_asyncio

from wsgateway.lab import servers
from wsgateway.lab.loop import shared_loop

_PATIENCE_S = 20.0
_LAST = b"that was all"


def fan_out(nodes: int, *, messages: int = 240, shared: bool) -> list[int]:
    """Publish messages, each meant for one node, and count what every node reads.

    The nodes are bare subscribers, for what a gateway does afterwards makes no difference here.

    Args:
        nodes: how many.
        messages: in all; they go round, so each node gets its share.
        shared: one channel for all; else one for each node.
    """
    return shared_loop().run(_fan_out(nodes, messages, shared), _PATIENCE_S)


async def _fan_out(nodes: int, messages: int, shared: bool) -> list[int]:
    found = await servers.redis()
    channels = ["everybody" if shared else f"node-{node}" for node in range(nodes)]
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_asyncio.Redis.from_url(found.address))
        readers = []
        for channel in channels:
            reader = await stack.enter_async_context(redis.pubsub())
            await reader.subscribe(channel)
            readers.append(reader)
        counting = asyncio.gather(*(_count(reader) for reader in readers))
        for number in range(messages):
            await redis.publish(channels[number % nodes], f"to node {number % nodes}")
        for channel in set(channels):
            await redis.publish(channel, _LAST)
        return list(await counting)


async def _count(reader: redis_asyncio.client.PubSub) -> int:
    count = 0
    async for told in reader.listen():
        if told["type"] == "message":
            if told["data"] == _LAST:
                return count
            count += 1
    raise ConnectionError("the subscription ended")
