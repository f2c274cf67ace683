"""The event loop's time, shared out among the clients of a gateway."""

import asyncio
from collections import deque
from collections.abc import Callable

from wsgateway.spare import Spare

# Why: a burst of a client that waits for its acks then is read at once, so it leaves at once, too:
# a tenth more in a closed loop than in slices of 2 KiB.
# 原因：客户端发一批、再等确认，这样的一批一次读完，也就一起发走：闭环吞吐比按 2 KiB 切片
# 高约一成。
AT_ONCE_BYTES = 16 * 1024
LITTLE_BYTES = 1024
# Why: some 20 messages, 0.3 ms. In slices of a third of that, the same CPU time let a quarter
# fewer through, for their batches were as small.
# 原因：约 20 条消息，0.3 毫秒。片再小三分之二，批也跟着变小，同样的 CPU 时间少走四分之一。
SLICE_BYTES = 3 * 1024

Hear = Callable[[int], None]
"""Hears what a client says, so many bytes of it at most; clients are told apart by it."""


class Turns:
    """Says who is heard when: at once, in a later turn of the loop, or a little at a time.

    The idea is that of fq_codel's new and old flows (RFC 8290, section 4.2). Who says little is
    heard as it comes. Bursts share `AT_ONCE_BYTES` of each turn of the loop. Whoever has still
    more waiting in the kernel is greedy, and stands in a line: `SLICE_BYTES` at a time, one such
    client in each turn, and all of them rest now and then when the core has little time to spare.
    Whoever has been heard for a slice while the line went round once stands in it as well.

    Args:
        spare: says when that is.

    Attributes:
        buffer: all sockets read into it; who fills it has more to say than a burst.
    """

    # Why: not everyone in each turn. Twenty-five greedy clients made a turn last 10 ms and more,
    # and a message passes four to six turns on its way: its median grew from 1 to 25 ms.
    # 原因：不能每轮都让所有人说。二十五个贪心的客户端会让一轮长达 10 毫秒以上，
    # 而一条消息一路要经过四到六轮：中位延迟从 1 毫秒涨到了 25 毫秒。

    # Why: asyncio and uvloop read up to 256 KiB at once, into memory new each time. From twelve
    # greedy clients in one turn that was 3 MB: 9 ms of copying what could not be heard yet.
    # 原因：asyncio 和 uvloop 一次最多读 256 KiB，每次都用新内存。一轮里有十二个贪心的客户端，
    # 就是 3 MB：花 9 毫秒去拷贝暂时还轮不到听的东西。

    # Why: a flood in small pieces is a flood. A few of 50 senders, read just often enough never to
    # fill the buffer, passed for bursts: they took the core without a rest, the others starved in
    # the line, and calm users waited for all of it.
    # 原因：零敲碎打的洪流也是洪流。50 个发送方里有几个恰好读得够勤，从没读满缓冲区，便被当成突发：
    # 它们占着核从不歇，其余的在队里挨饿，平静的用户则替他们等着。

    def __init__(self, spare: Spare | None = None) -> None:
        self._spare = spare or Spare()
        self.buffer = memoryview(bytearray(AT_ONCE_BYTES))
        self._bursts: deque[tuple[int, Hear]] = deque()
        self._greedy: deque[Hear] = deque()
        self._heard: dict[Hear, int] = {}  # bytes, while the line goes round once
        self._left_of_round = 0
        self._left = AT_ONCE_BYTES
        self._due = self._resting = False

    def at_once(self, size: int, hear: Hear) -> bool:
        """Return whether `size` bytes may be heard now, and take them from this turn's share."""
        if self._has_had_a_slice(hear):
            return False
        if size > LITTLE_BYTES:
            if self._bursts or self._left <= 0:
                return False
            self._left -= size
            self._schedule()
        self._note(hear, size)
        return True

    def wait(self, hear: Hear, *, burst: int = 0) -> None:
        """Call `hear` once, when all who wait already have had their turn.

        Args:
            hear: told how many bytes it may hear.
            burst: bytes, if that is all there is; 0 for whoever has more to say.
        """
        if burst and not self._has_had_a_slice(hear):
            self._bursts.append((burst, hear))
            self._note(hear, burst)
        else:
            self._greedy.append(hear)
        self._schedule()

    def _schedule(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._due = False
        self._left = AT_ONCE_BYTES
        loop = asyncio.get_running_loop()
        if self._greedy and not self._resting:
            rest_s = self._spare.rest_s()
            if rest_s:
                self._resting = True
                loop.call_later(rest_s, self._rested)
            else:
                self._hear_next()
        while self._bursts and self._left > 0:
            size, hear = self._bursts.popleft()
            self._left -= size
            loop.call_soon(hear, AT_ONCE_BYTES)
        if (self._greedy and not self._resting) or self._bursts or self._left < AT_ONCE_BYTES:
            self._schedule()

    def _rested(self) -> None:
        # Why: one slice after each rest, whatever the core says. Others alone may keep it busy,
        # and to have much to say is no guilt.
        # 原因：每歇完一次必听一片，不论核忙不忙：光是其他人就可能占满它，而话多并无过错。
        self._resting = False
        self._hear_next()
        self._schedule()

    def _hear_next(self) -> None:
        """Hear the first in the line; it has gone round when all who stood there were heard."""
        if self._left_of_round == 0:
            self._left_of_round = len(self._greedy)
        hear = self._greedy.popleft()
        self._note(hear, SLICE_BYTES)
        self._left_of_round -= 1
        if self._left_of_round == 0:
            self._heard.clear()
        asyncio.get_running_loop().call_soon(hear, SLICE_BYTES)

    def _note(self, hear: Hear, size: int) -> None:
        if self._greedy:
            self._heard[hear] = self._heard.get(hear, 0) + size

    def _has_had_a_slice(self, hear: Hear) -> bool:
        return bool(self._greedy) and self._heard.get(hear, 0) >= SLICE_BYTES
