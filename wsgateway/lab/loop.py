"""The one event-loop thread of a kernel: gateways live here, cells only visit."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

_POLL_S = 0.2


class LoopThread:
    """An event loop in a daemon thread of its own.

    Why: the kernel's own loop runs cells; a gateway on it would stand still during every plot.
    原因：内核自己的事件循环要执行单元格；网关若跑在上面，一画图它就卡住了。
    """

    def __init__(self, name: str = "wsgateway-lab") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread if it does not run; return when its loop runs."""
        if self.alive:
            return
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._main, args=(self._loop, ready), name=self._name, daemon=True
        )
        self._thread.start()
        ready.wait()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Run a coroutine on the loop and wait for its result.

        Ctrl-C (Jupyter's stop button) cancels the coroutine and is raised at once.

        Args:
            coroutine: what to run.
            timeout_s: it is cancelled after this many seconds.

        Raises:
            TimeoutError: it took longer.
            RuntimeError: called from the loop's own thread, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("LoopThread.run would wait for itself: use await here")
        self.start()
        loop = self._loop
        assert loop is not None
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        task: asyncio.Task[None] | None = None

        def begin() -> None:
            nonlocal task
            task = loop.create_task(_settle(coroutine, outcome))

        def end() -> None:
            if task is None:
                coroutine.close()
            else:
                task.cancel()

        deadline = monotonic() + timeout_s
        # Why: Ctrl-C may strike between any two lines, even before this thread has a reference
        # to the task. `end` runs in the loop, after `begin`, so it always finds what to cancel.
        # 原因：Ctrl-C 可能落在任意两行之间，甚至在本线程拿到任务引用之前。
        # `end` 在事件循环里运行，排在 `begin` 之后，因此总能找到要取消的任务。
        try:
            loop.call_soon_threadsafe(begin)
            # Why: on Windows a lock cannot be interrupted while waiting, so wait in short steps.
            # 原因：Windows 上等锁时收不到中断信号，所以每次只等一小段。
            while not concurrent.futures.wait([outcome], timeout=_POLL_S).done:
                if monotonic() > deadline:
                    raise TimeoutError(f"no result within {timeout_s:g} s")
            return outcome.result()
        finally:
            loop.call_soon_threadsafe(end)

    def close(self) -> None:
        """Cancel what still runs, stop the loop, end the thread. Closing twice is fine."""
        if not self.alive:
            return
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10.0)

    @staticmethod
    def _main(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _settle(coroutine: Coroutine[Any, Any, T], outcome: concurrent.futures.Future[T]) -> None:
    try:
        outcome.set_result(await coroutine)
    except BaseException as error:
        outcome.set_exception(error)
        if isinstance(error, asyncio.CancelledError):
            raise


_shared = LoopThread()


def shared_loop() -> LoopThread:
    """Return the kernel's loop thread, started."""
    _shared.start()
    return _shared
