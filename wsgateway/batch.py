"""Batch without a timer: what arrives while one command is in flight goes out as the next batch.

An idle gateway sends each command at once, alone; a busy one fills its batches by itself. The
same idea is Nagle's algorithm without its delay, and "smart batching" (Martin Thompson, 2011).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Generic, Self, TypeVar

from wsgateway import tasks
from wsgateway.errors import BrokerUnavailable, Overloaded

log = logging.getLogger(__name__)

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
        self._waiting: deque[tuple[T, Callable[[R | Exception], None]]] = deque()
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
            waiting, self._waiting = self._waiting, deque()
            _fail(waiting, BrokerUnavailable("the gateway is stopping"))

    def submit(self, item: T) -> asyncio.Future[R]:
        """Queue `item` and return the future of its result; never blocks.

        Raises:
            Overloaded: `max_waiting` items wait already.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.put(item, partial(_resolve, future))
        return future

    def put(self, item: T, done: Callable[[R | Exception], None]) -> None:
        """Queue `item`; `done` hears its result once, and never before this returns.

        A future costs a turn of the loop to tell its waiter; what is sent by the ten thousand
        has no waiter, so it is called back.

        Raises:
            Overloaded: `max_waiting` items wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded("too many commands wait")
        if self._task is None:
            asyncio.get_running_loop().call_soon(done, BrokerUnavailable("not running"))
            return
        self._waiting.append((item, done))
        self._wake.set()

    async def _run(self) -> None:
        batch: list[tuple[T, Callable[[R | Exception], None]]] = []
        try:
            while True:
                await self._wake.wait()
                while self._waiting:
                    size = min(len(self._waiting), self._max_batch)
                    batch = [self._waiting.popleft() for _ in range(size)]
                    results = await self._flush_one([item for item, _ in batch])
                    flushed, batch = batch, []
                    for (_, done), result in zip(flushed, results, strict=True):
                        _tell(done, result)
                self._wake.clear()
        finally:
            _fail(batch, BrokerUnavailable("the gateway is stopping"))

    async def _flush_one(self, items: Sequence[T]) -> Sequence[R | Exception]:
        """Return one result each."""
        self.flushes += 1
        self.items += len(items)
        try:
            results = await self._flush(items)
            if len(results) != len(items):
                raise ValueError(f"{len(results)} results of {len(items)} items")
        except Exception as error:  # every waiter gets it: nothing is swallowed
            return [error] * len(items)
        return results


def _resolve(future: "asyncio.Future[R]", result: R | Exception) -> None:
    if future.done():  # its waiter was cancelled
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _tell(done: Callable[[R | Exception], None], result: R | Exception) -> None:
    try:
        done(result)
    except Exception:  # a bug; it must cost one item, not all that wait
        log.exception("the result of an item was not taken")


def _fail(
    batch: Iterable[tuple[object, Callable[[R | Exception], None]]], error: Exception
) -> None:
    for _, done in batch:
        _tell(done, error)
