"""Batch without a timer: what arrives while one command is in flight goes out as the next batch.

An idle gateway sends each command at once, alone; a busy one fills its batches by itself. The
same idea is Nagle's algorithm without its delay, and "smart batching" (Martin Thompson, 2011).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, Self, TypeVar

from wsgateway import tasks
from wsgateway.errors import BrokerUnavailable, Overloaded

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Runs `flush` on all waiting items, one call at a time, in order.

    Args:
        flush: gets the items, returns one result each. An exception fails the whole batch;
            an exception among the results fails that item alone.
        max_batch: items in one call at most.
        max_waiting: items waiting at most; beyond that `submit` refuses.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        max_batch: int = 256,
        max_waiting: int = 20_000,
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.flushes = 0
        self.items = 0

    def __len__(self) -> int:
        return len(self._waiting)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def start(self) -> None:
        """Begin flushing."""
        self._task = asyncio.create_task(self._run(), name="batcher")

    async def aclose(self) -> None:
        """Stop; what still waits fails with `BrokerUnavailable`. Safe to call twice."""
        task, self._task = self._task, None  # first: nothing may queue behind the last flush
        try:
            if task is not None:
                await tasks.end(task)
        finally:
            _settle(self._waiting, BrokerUnavailable("the gateway is stopping"))
            self._waiting.clear()

    def submit(self, item: T) -> asyncio.Future[R]:
        """Queue `item` and return the future of its result; never blocks.

        Raises:
            Overloaded: `max_waiting` items wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded("too many commands wait")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if self._task is None:
            future.set_exception(BrokerUnavailable("not running"))
            return future
        self._waiting.append((item, future))
        self._wake.set()
        return future

    async def _run(self) -> None:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        try:
            while True:
                await self._wake.wait()
                while self._waiting:
                    size = min(len(self._waiting), self._max_batch)
                    batch = [self._waiting.popleft() for _ in range(size)]
                    await self._flush_one(batch)
                    batch = []
                self._wake.clear()
        finally:
            _settle(batch, BrokerUnavailable("the gateway is stopping"))

    async def _flush_one(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        self.flushes += 1
        self.items += len(batch)
        try:
            results = await self._flush([item for item, _ in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:  # every waiter gets it: nothing is swallowed
            _settle(batch, error)
            return
        for (_, future), result in pairs:
            if future.done():  # its waiter was cancelled
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


def _settle(batch: Iterable[tuple[object, asyncio.Future[R]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
