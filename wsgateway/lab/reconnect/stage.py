"""Gateway processes, groups of clients, and presence watched while gateways die."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Self

from redis.asyncio import Redis

from wsgateway.brokers import free_port
from wsgateway.lab.reconnect.account import Account, Look
from wsgateway.lab.reconnect.crowd import Job
from wsgateway.lab.reconnect.group import Group
from wsgateway.lab.reconnect.storm import Storm
from wsgateway.presence.base import presence_key
from wsgateway.process import GatewayProcess

_LOOK_S = 0.1


class Stage:
    """The gateways of one experiment, and their clients; `async with`, gone at the end.

    Args:
        redis: URL of the Redis that holds presence.
        broker: what it is.
        seed: of the clients' waits.
    """

    def __init__(self, redis: str, broker: str, seed: int) -> None:
        self.live: set[str] = set()
        self._url = redis
        self._broker = broker
        self._seed = seed
        self._prefix = f"reconnect-{secrets.token_hex(3)}:"
        self._stack = AsyncExitStack()
        self._groups: list[Group] = []
        self._died_s = 0.0

    async def __aenter__(self) -> Self:
        self._redis = await self._stack.enter_async_context(
            Redis.from_url(self._url, decode_responses=True)
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def now_s(self) -> float:
        """Seconds since the gateways died."""
        return time.monotonic() - self._died_s

    async def gateway(self, name: str, port: int | None = None) -> tuple[GatewayProcess, int]:
        """Start a gateway; return it and its port."""
        port = port or free_port()
        flags = ["--key-prefix", self._prefix, "--port", str(port)]
        process = GatewayProcess(name, redis=self._url, flags=flags)
        await self._stack.enter_async_context(process)
        self.live.add(name)
        return process, port

    async def join(self, jobs: Sequence[Job]) -> None:
        """Connect groups of clients, each from a load process of its own."""
        self._groups = [Group(job) for job in jobs]
        async with asyncio.TaskGroup() as joining:
            for group in self._groups:
                joining.create_task(self._stack.enter_async_context(group))

    async def die(self, death: Callable[[], Awaitable[float | None]]) -> Account:
        """Let gateways die, watch everyone come back; return what happened.

        Args:
            death: does it; returns when the replacement was up, as an Account has it.
        """
        before = await self._look()
        self._died_s = time.monotonic()
        looks, over = [replace(before, at_s=0.0)], asyncio.Event()
        async with asyncio.TaskGroup() as living:
            dying = living.create_task(_result(death()))
            living.create_task(self._watch(looks, over))
            telling = [living.create_task(group.told()) for group in self._groups]
            # Why: told to end, not only cancelled. redis-py sends within `asyncio.wait_for`,
            # which on Python 3.11 swallows a cancellation that comes as the sending ends.
            # 原因：要让它自己结束，不能只靠取消。redis-py 在 `asyncio.wait_for` 里发送，
            # 而 Python 3.11 的 wait_for 若恰在发完时遇到取消，会把取消吞掉。
            try:
                await asyncio.wait([dying, *telling])
            finally:
                over.set()
        looks.append(await self._look())
        storms, codes = {}, {}
        for group, told in zip(self._groups, (one.result() for one in telling), strict=True):
            name = group.job.group
            attempts = [at_s - self._died_s for at_s in told.attempts]
            back = [at_s - self._died_s for at_s in told.back]
            storms[name] = Storm(group.job.clients, attempts, back)
            codes[name] = told.codes
        return Account(self._broker, self._seed, dying.result(), storms, codes, looks)

    async def _watch(self, looks: list[Look], over: asyncio.Event) -> None:
        while not over.is_set():
            looks.append(await self._look())
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await over.wait()

    async def _look(self) -> Look:
        """Ask Redis where presence says that everyone is."""
        live, dead = {}, {}
        async with self._redis.pipeline(transaction=False) as asking:
            for group in self._groups:
                for user in group.job.users:
                    asking.hget(presence_key(self._prefix, user), "gatewayId")
            # Why: who was alive when we asked. The answer may come after a gateway has gone that,
            # as it left, had still to remove its records.
            # 原因：以提问那一刻谁活着为准。等答复回来，某个网关可能已经走了，
            # 而提问时它还在清理自己的记录。
            asked_s, alive = self.now_s, frozenset(self.live)
            named = iter(await asking.execute())
        for group in self._groups:
            names = [next(named) for _ in group.job.users]
            live[group.job.group] = sum(name in alive for name in names)
            dead[group.job.group] = sum(bool(name) and name not in alive for name in names)
        return Look(asked_s, live, dead)


async def _result(awaited: Awaitable[float | None]) -> float | None:
    return await awaited
