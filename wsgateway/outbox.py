"""What waits to be written to one client: bounded, in order, each frame with one fate."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from wsgateway.config import Config
from wsgateway.protocol import Status

OnWritten = Callable[[Status], None]

# Why: one system call for many frames costs little more than for one, and 16 KiB hold over a
# hundred short ones. What is under way when a socket breaks has an unknown fate, so not more.
# 原因：一次系统调用写多帧，比写一帧贵不了多少，16 KiB 装得下上百个短帧。
# 套接字断开时正在写的那些，下落都是未知，所以不宜更多。
_WRITE_BYTES = 16 * 1024


class Writable(Protocol):
    """What an outbox writes to."""

    @property
    def open(self) -> bool:
        """Whether frames can be written."""

    def write(self, frames: list[bytes]) -> bool:
        """Write `frames`; False when the kernel has not taken them all yet."""


class Owner(Protocol):
    """Who hears of an outbox."""

    def too_slow(self, why: str) -> None:
        """The client reads too little."""

    def flushed(self) -> None:
        """Nothing waits any more."""


class Outbox:
    """The frames for one WebSocket.

    Args:
        ws: where they go.
        owner: told what is wrong, and when all is written.
        config: bounds: `outbox_bytes`, and `stall_s` for one write.
    """

    __slots__ = (
        "_config",
        "_flushing",
        "_loop",
        "_owner",
        "_stall",
        "_waiting",
        "_writing",
        "_ws",
        "open",
        "queued_bytes",
    )

    def __init__(self, ws: Writable, owner: Owner, config: Config) -> None:
        self.open = True
        self.queued_bytes = 0
        self._ws = ws
        self._owner: Owner | None = owner
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[bytes, OnWritten | None]] = []
        self._writing: list[tuple[bytes, OnWritten | None]] = []
        self._flushing = False
        self._stall: asyncio.TimerHandle | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._waiting and self._stall is None

    def put(self, frame: bytes, on_written: OnWritten | None) -> bool:
        """Queue `frame`, see `Connection.send`; False once it takes nothing more."""
        if not self.open:
            return False
        self._waiting.append((frame, on_written))
        self.queued_bytes += len(frame)
        if not self._flushing:
            # Why: in the next turn of the loop, so that all that this turn sends leaves at once.
            # 原因：留到下一轮事件循环再写，本轮要发的就能一起发出。
            self._flushing = True
            self._loop.call_soon(self._flush)
        if self.queued_bytes > self._config.outbox_bytes:
            self._too_slow("too slowly")
        return True

    def abandon(self) -> None:
        """Take nothing more, and hand back what was not written, the newest first."""
        self.open = False
        abandoned, self._waiting = self._waiting, []
        self.queued_bytes = 0
        for _, on_written in reversed(abandoned):
            if on_written is not None:
                on_written(Status.OFFLINE)

    def writable(self) -> None:
        """The kernel has taken what was under way."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
            self._written(Status.DELIVERED)
            self._flush()

    def lost(self) -> None:
        """Nothing can be written any more."""
        # Why: what is behind the frames under way goes back first, then those: handed back
        # newest first, they are in order again.
        # 原因：先退回排在在途帧后面的，再退回在途帧：由新到旧退回，顺序才能复原。
        self.abandon()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
            self._writing.reverse()
            self._written(Status.UNKNOWN)

    def forget(self) -> None:
        """Let go of the owner, after `lost`: it is told nothing more."""
        self._owner = None

    def _flush(self) -> None:
        """Write what waits, until the kernel takes no more."""
        while self._waiting and self._stall is None:
            if not self._ws.open:
                self.abandon()
                break
            frames = self._take_out()
            if frames and not self._ws.write(frames):
                self._stall = self._loop.call_later(self._config.stall_s, self._stalled)
                return
            self._written(Status.DELIVERED)
        self._flushing = False
        if self._owner is not None:
            self._owner.flushed()

    def _take_out(self) -> list[bytes]:
        """Put as much under way as one write may hold; return its frames."""
        size, count = 0, 0
        for frame, _ in self._waiting:
            size += len(frame)
            if count and size > _WRITE_BYTES:
                break
            count += 1
        self._writing = self._waiting[:count]
        del self._waiting[:count]
        return [frame for frame, _ in self._writing if frame]

    def _written(self, fate: Status) -> None:
        written, self._writing = self._writing, []
        for frame, on_written in written:
            self.queued_bytes = max(0, self.queued_bytes - len(frame))
            if on_written is not None:
                on_written(fate)

    def _stalled(self) -> None:
        # Why: senders on this gateway wait for this write; a reader that pings but never reads
        # would hold all of them for ever.
        # 原因：本网关上的发件人都在等这次写入；只发 ping 却从不读的客户端会把他们永远拖住。
        self._too_slow("nothing")

    def _too_slow(self, why: str) -> None:
        if self._owner is not None:
            self._owner.too_slow(why)
