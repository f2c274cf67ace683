"""Batching without a timer: what waits while one flush is in flight goes out together."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from wsgateway.batch import Batcher
from wsgateway.errors import BrokerUnavailable, Overloaded


class Gate:
    """A flush that waits to be let through; remembers every batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = asyncio.Semaphore(0)
        self.passes = asyncio.Semaphore(0)
        self.answer: dict[int, int | Exception] = {}
        self.failure: BaseException | None = None
        self.drop = 0

    async def flush(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.entered.release()
        await self.passes.acquire()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return [self.answer.get(item, item * 10) for item in items][self.drop :]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def batcher(gate: Gate) -> AsyncIterator[Batcher[int, int]]:
    async with Batcher(gate.flush, max_batch=4, max_waiting=6) as batcher:
        yield batcher


async def busy(gate: Gate, batcher: Batcher[int, int]) -> asyncio.Future[int]:
    """Put one flush in flight."""
    first = batcher.submit(0)
    await gate.entered.acquire()
    return first


async def test_idle_each_item_goes_out_at_once_alone(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    for item in (1, 2, 3):
        gate.passes.release()
        assert await batcher.submit(item) == item * 10
    assert gate.batches == [[1], [2], [3]]
    assert (batcher.flushes, batcher.items) == (3, 3)


async def test_while_one_is_in_flight_the_rest_forms_one_batch_in_order(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    first = await busy(gate, batcher)
    rest = [batcher.submit(item) for item in (3, 1, 2)]
    assert len(batcher) == 3
    gate.passes.release()
    gate.passes.release()
    assert await asyncio.gather(first, *rest) == [0, 30, 10, 20]
    assert gate.batches == [[0], [3, 1, 2]]
    assert (batcher.flushes, batcher.items) == (2, 4)


async def test_a_batch_has_a_largest_size(gate: Gate, batcher: Batcher[int, int]) -> None:
    first = await busy(gate, batcher)
    rest = [batcher.submit(item) for item in range(1, 7)]
    for _ in range(3):
        gate.passes.release()
    await asyncio.gather(first, *rest)
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]


async def test_a_failing_flush_fails_only_its_batch(gate: Gate, batcher: Batcher[int, int]) -> None:
    gate.failure = OSError("down")
    first = await busy(gate, batcher)
    second = batcher.submit(1)
    gate.passes.release()
    gate.passes.release()
    with pytest.raises(OSError, match="down"):
        await first
    assert await second == 10


async def test_one_bad_result_fails_one_item(gate: Gate, batcher: Batcher[int, int]) -> None:
    first = await busy(gate, batcher)
    gate.answer[2] = BrokerUnavailable("odd")
    rest = [batcher.submit(item) for item in (1, 2, 3)]
    gate.passes.release()
    gate.passes.release()
    results = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [r if isinstance(r, int) else str(r) for r in results] == [0, 10, "odd", 30]


async def test_too_few_results_fail_their_batch_and_not_the_batcher(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    gate.drop = 1
    gate.passes.release()
    with pytest.raises(ValueError, match="0 results of 1"):
        await batcher.submit(1)
    gate.drop = 0
    gate.passes.release()
    assert await batcher.submit(2) == 20


async def test_a_waiter_that_gives_up_disturbs_nobody(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    first = await busy(gate, batcher)
    gone, stays = batcher.submit(1), batcher.submit(2)
    first.cancel()
    gone.cancel()
    gate.passes.release()
    gate.passes.release()
    assert await stays == 20


async def test_when_full_it_refuses_and_recovers(gate: Gate, batcher: Batcher[int, int]) -> None:
    waiting = [await busy(gate, batcher)] + [batcher.submit(item) for item in range(6)]
    with pytest.raises(Overloaded):
        batcher.submit(6)
    for _ in range(3):
        gate.passes.release()
    await asyncio.gather(*waiting)
    gate.passes.release()
    assert await batcher.submit(7) == 70


async def test_closing_fails_what_is_in_flight_and_what_waits(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    waiting = [await busy(gate, batcher), batcher.submit(1)]
    await batcher.aclose()
    for future in waiting:
        with pytest.raises(BrokerUnavailable, match="stopping"):
            await future
    assert len(batcher) == 0
    await batcher.aclose()


async def test_closing_before_the_first_flush_hangs_nobody(gate: Gate) -> None:
    async with Batcher(gate.flush) as batcher:
        waiting = batcher.submit(1)
    with pytest.raises(BrokerUnavailable, match="stopping"):
        await asyncio.wait_for(waiting, 5)


async def test_a_submit_while_it_closes_fails_instead_of_hanging(
    gate: Gate, batcher: Batcher[int, int]
) -> None:
    again: list[asyncio.Future[int]] = []
    first = await busy(gate, batcher)
    first.add_done_callback(lambda _: again.append(batcher.submit(1)))
    await batcher.aclose()
    assert isinstance(first.exception(), BrokerUnavailable)
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(again[0], 5)


async def test_before_the_start_and_after_the_close_nothing_hangs(gate: Gate) -> None:
    batcher = Batcher(gate.flush)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="not running"):
            await batcher.submit(1)
        batcher.start()
        await batcher.aclose()
    assert gate.batches == []
