"""How far a partition may be committed: only as far as everything before is settled. Pure."""

from collections import deque


class Progress:
    """The offsets of one partition that were read, and which of them are settled.

    Args:
        position: the next offset to read.
    """

    # Why: a log keeps one number per reader, so "100 is settled, 99 is not" cannot be written
    # down. What is settled beyond the first open offset is read again after a crash: that is
    # where "at least once" comes from.
    # 原因：日志为每个读者只存一个数，“100 已处理、99 还没有”无法记录。
    # 第一个未处理位点之后的内容，崩溃后会重读一遍：“至少一次”正是由此而来。

    def __init__(self, position: int) -> None:
        self.position = position
        self.committed = position
        self._open: deque[int] = deque()
        self._settled: set[int] = set()

    def __len__(self) -> int:
        """How many were read and are not settled."""
        return len(self._open) - len(self._settled)

    @property
    def committable(self) -> int:
        """The offset to commit: the first that is not settled."""
        return self._open[0] if self._open else self.position

    def read(self, offset: int) -> None:
        """Note that `offset` was read; offsets come in ascending order, with gaps."""
        self._open.append(offset)
        self.position = offset + 1

    def settle(self, offset: int) -> None:
        """Note that `offset` is done with."""
        self._settled.add(offset)
        while self._open and self._open[0] in self._settled:
            self._settled.remove(self._open.popleft())
