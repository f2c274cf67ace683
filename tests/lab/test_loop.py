"""The loop thread: results, errors, deadlines, and a stop button that works at once."""

import _thread
import asyncio
import threading
from collections.abc import Iterator

import pytest

from wsgateway.lab.loop import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread("test")
    yield thread
    thread.close()
    assert not thread.alive


class Stuck:
    """A coroutine that never ends, and says when it began and when it was cancelled."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def wait(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def _thread_name() -> str:
    return threading.current_thread().name


async def _fail() -> None:
    raise LookupError("nobody")


def test_runs_in_one_thread_of_its_own(loop: LoopThread) -> None:
    assert {loop.run(_thread_name()) for _ in range(3)} == {"test"}


def test_errors_come_back_to_the_cell(loop: LoopThread) -> None:
    with pytest.raises(LookupError, match="nobody"):
        loop.run(_fail())


def test_a_deadline_cancels_the_coroutine(loop: LoopThread) -> None:
    stuck = Stuck()
    with pytest.raises(TimeoutError, match=r"no result within 0\.3 s"):
        loop.run(stuck.wait(), timeout_s=0.3)
    assert stuck.cancelled.wait(5)


def test_the_stop_button_ends_the_wait_and_cancels_the_coroutine(loop: LoopThread) -> None:
    stuck = Stuck()

    def press_stop() -> None:
        stuck.began.wait()
        _thread.interrupt_main()  # what the kernel does on SIGINT

    stop = threading.Thread(target=press_stop)
    stop.start()
    # Only the interrupt can end this wait: the deadline lies beyond the test's own.
    with pytest.raises(KeyboardInterrupt):
        loop.run(stuck.wait(), timeout_s=3_600)
    stop.join()
    assert stuck.cancelled.wait(5)
    assert loop.run(_thread_name()) == "test"  # and the thread lives on


def test_waiting_for_oneself_is_refused(loop: LoopThread) -> None:
    async def nested() -> None:
        loop.run(_thread_name())

    with pytest.raises(RuntimeError, match="wait for itself"):
        loop.run(nested())


def test_closing_cancels_what_still_runs_and_may_be_repeated(loop: LoopThread) -> None:
    stuck = Stuck()
    tasks: set[asyncio.Task[None]] = set()

    async def begin() -> None:
        tasks.add(asyncio.create_task(stuck.wait()))

    loop.run(begin())
    assert stuck.began.wait(5)
    loop.close()
    loop.close()
    assert stuck.cancelled.is_set()


def test_starts_again_after_closing(loop: LoopThread) -> None:
    loop.run(_thread_name())
    loop.close()
    assert loop.run(_thread_name()) == "test"
