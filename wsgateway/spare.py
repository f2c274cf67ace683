"""The part of a core that is left for whoever has much to say."""

import os
import time
from collections.abc import Callable

# Why: a server that is busy 95 % of the time has 19 with it on average, at 50 % a single one
# (M/M/1: rho / (1 - rho), waiting or served). Measured with a flood, others' p99 beside it over
# their p99 alone, medians: 7.2 at 80 %, 3.9 at 65 %, 2.5 at 50 % (gateways, broker and load all on
# 2 cores).
# 原因：处理者 95% 的时间都在忙，手里和队里平均共有 19 个；忙 50% 时只有一个
# （M/M/1：rho / (1 - rho)）。洪流实测，其他人的 p99 与没有洪流时之比，中位数：80% 时 7.2，
# 65% 时 3.9，50% 时 2.5（网关、消息代理和压测都在 2 个核上）。
_SHARE = 0.5
_BURST_S = 0.002
_LONGEST_S = 0.010
_SCHEDSTAT = "/proc/thread-self/schedstat"


def taken_s() -> float:
    """Return how long this thread has had a core or waited for one, seconds.

    Linux counts both (Documentation/scheduler/sched-stats.rst); elsewhere, or where its statistics
    are not to be read, it is the CPU time alone.
    """
    # Why: on a machine with more to do than cores, a gateway waits to run as long as it runs. Its
    # CPU time alone looks like a core half idle, while everybody waits for it: a flood's
    # neighbours had a median of 7 ms by CPU time, and 2 ms with the waiting counted.
    # 原因：机器上要跑的比核多时，网关等核和运行一样久。只看 CPU 时间，像是核还闲着一半，
    # 其实人人都在等它：洪流旁边的人，按 CPU 时间算中位数是 7 毫秒，把等待也算进去是 2 毫秒。
    try:
        statistics = os.open(_SCHEDSTAT, os.O_RDONLY)
    except OSError:
        return time.thread_time()
    try:
        ran_ns, waited_ns, _ = os.read(statistics, 100).split()
    finally:
        os.close(statistics)
    return (int(ran_ns) + int(waited_ns)) / 1e9


class Spare:
    """A bucket that time fills, and whatever this thread takes of its core empties.

    Args:
        wall_s: a monotonic clock, seconds.
        taken_s: how long this thread has kept a core, seconds; see `taken_s`.
    """

    def __init__(
        self,
        wall_s: Callable[[], float] = time.monotonic,
        taken_s: Callable[[], float] = taken_s,
    ) -> None:
        self._wall_s, self._taken_s = wall_s, taken_s
        self._at_s, self._used_s = wall_s(), taken_s()
        self._left_s = _BURST_S

    def rest_s(self) -> float:
        """Return how long the greedy rest before they go on, seconds; 0 when they need not."""
        at_s, used_s = self._wall_s(), self._taken_s()
        left_s = self._left_s + _SHARE * (at_s - self._at_s) - (used_s - self._used_s)
        self._at_s, self._used_s = at_s, used_s
        self._left_s = min(max(left_s, -_SHARE * _LONGEST_S), _BURST_S)
        return max(-self._left_s / _SHARE, 0.0)
