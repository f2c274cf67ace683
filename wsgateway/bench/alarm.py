"""A timer finer than the event loop's."""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1


class Alarm:
    """Calls back at an instant of `time.monotonic_ns`; one at a time.

    Args:
        ring: what to call.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._fd = -1
        # Why: epoll, and with it every event loop here, counts in whole milliseconds: a message due
        # in between would go out half a millisecond late on average, as long as it may then
        # take to arrive. A timer descriptor of the kernel counts in nanoseconds.
        # 原因：epoll 以整毫秒计时，这里的事件循环都受此限制：夹在中间的消息平均要晚发半毫秒，
        # 和它之后的传输时间一样长。内核的定时器描述符则以纳秒计时。
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            flags = os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, flags)
            if self._fd < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create")
            self._loop.add_reader(self._fd, self._rang)

    def at(self, instant_ns: int) -> None:
        """Ring at this instant; at once if it is past."""
        if self._fd < 0:
            delay_s = max(instant_ns - time.monotonic_ns(), 0) / 1e9
            self._later = self._loop.call_later(delay_s, self._ring)
            return
        when = (ctypes.c_long * 4)(0, 0, *divmod(max(instant_ns, 1), 1_000_000_000))
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, when, None)

    def close(self) -> None:
        """Never ring again."""
        if self._later is not None:
            self._later.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _rang(self) -> None:
        os.read(self._fd, 8)
        self._ring()
