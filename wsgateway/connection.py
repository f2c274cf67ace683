"""One WebSocket: its reader, its bounded outbox and the task that empties it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from wsgateway.errors import CloseCode
from wsgateway.protocol import MAX_FRAME_BYTES, Status

log = logging.getLogger(__name__)

OnWritten = Callable[[Status], None]


# Why: our own writer leaves two frames there at most, for it waits; four are never honest.
# 原因：我们自己的写任务会等待，最多在那里留两帧；到四帧必有问题。
_PENDING_BYTES = 4 * MAX_FRAME_BYTES


class BoundedSocket(ServerConnection):
    """A WebSocket that is dropped when what the library itself writes piles up."""

    def data_received(self, data: bytes) -> None:
        """Let the library answer; give up on a peer that does not read the answers."""
        # Why: protocol pings are answered past our outbox and without waiting, so a client that
        # pings and never reads could fill this gateway's memory.
        # 原因：协议层的 ping 由库直接应答，绕过发件箱且不等待；
        # 只发 ping 从不读的客户端会撑爆网关内存。
        super().data_received(data)
        if self.transport.get_write_buffer_size() > _PENDING_BYTES:
            self.transport.abort()


class Connection:
    """A client's socket, registered or not.

    Args:
        ws: the accepted WebSocket.
        conn_id: unique among all gateways, for all time.
        outbox_bytes: bytes queued for a slow reader before it is closed with 4004.
        window: messages in flight before the reader pauses.
        close_timeout_s: bound on flushing the outbox before a close, seconds.
        stall_s: a reader that blocks one write for this long is closed with 4004, seconds.
    """

    def __init__(
        self,
        ws: ServerConnection,
        conn_id: str,
        *,
        outbox_bytes: int,
        window: int,
        close_timeout_s: float,
        stall_s: float,
    ) -> None:
        self.conn_id = conn_id
        self.user: str | None = None
        self.epoch = 0
        self.deadline: asyncio.TimerHandle | None = None
        self.refreshing: asyncio.Future[Any] | None = None
        self.last_refresh_s = 0.0
        self._ws = ws
        self._loop = asyncio.get_running_loop()
        self.last_seen_s = self._loop.time()
        self._outbox: deque[tuple[bytes, OnWritten | None]] = deque()
        self._outbox_bytes = outbox_bytes
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._open = True
        self._closing: asyncio.Task[None] | None = None
        self._close_code: CloseCode | None = None
        self._close_timeout_s = close_timeout_s
        self._stall_s = stall_s
        # Why: a client that never waits for its acks is paused here, by TCP, and nobody else.
        # 原因：从不等确认的客户端会在这里被 TCP 反压住，别人不受影响。
        self.window = asyncio.Semaphore(window)
        self._window = window

    @property
    def open(self) -> bool:
        """Whether `send` still takes frames."""
        return self._open

    @property
    def queued_bytes(self) -> int:
        """Bytes in the outbox."""
        return self._queued_bytes

    def send(self, frame: bytes, on_written: OnWritten | None = None) -> bool:
        """Queue `frame`; never blocks.

        Args:
            frame: an encoded text frame; an empty one is a place in the queue, not sent.
            on_written: told `delivered` once written to the socket, `offline` if it never
                will be, `unknown` if the socket ended in the middle of it.

        Returns:
            False when the connection is closing: `on_written` is not called then.
        """
        if not self._open:
            return False
        self._outbox.append((frame, on_written))
        self._queued_bytes += len(frame)
        self._flushed.clear()
        self._wake.set()
        if self._queued_bytes > self._outbox_bytes:
            log.info("connection %s reads too slowly", self.conn_id)
            self.close(CloseCode.SLOW_CONSUMER, flush=False)
        return True

    def close(self, code: CloseCode, reason: str = "", *, flush: bool = True) -> None:
        """Begin to close; the first call decides the code, and any may give up on flushing.

        Args:
            code: the close code the client sees.
            reason: at most 123 bytes.
            flush: write what is queued first (bounded); otherwise it is handed back at once.
        """
        if not flush:
            self._abandon()
        if self._closing is not None:
            return
        self._close_code = code
        self._closing = asyncio.create_task(self._close(code, reason, flush))

    async def run(self, receive: Callable[["Connection", str], Awaitable[None]]) -> None:
        """Read until the socket closes, giving each text frame to `receive`."""
        writing = asyncio.create_task(self._write(), name=f"write {self.conn_id}")
        try:
            async for data in self._ws:
                if isinstance(data, bytes):
                    self.close(CloseCode.BINARY, "text frames only")
                    break
                self.last_seen_s = self._loop.time()
                if self._closing is None:  # else the client sends it again, elsewhere
                    await receive(self, data)
        except ConnectionClosed:
            pass  # the normal end of a client that vanishes; the close code tells which
        finally:
            if self._closing is not None:
                await asyncio.wait([self._closing])
            writing.cancel()
            await asyncio.wait([writing])
            self._abandon()

    def abort(self) -> None:
        """Drop the TCP connection now, without a closing handshake."""
        self._ws.transport.abort()

    @property
    def close_code(self) -> int:
        """The code it ended with: ours if we closed, even one nobody answered; 1006 for none."""
        return self._close_code or self._ws.close_code or 1006

    def _abandon(self) -> None:
        """Take nothing more, and hand back what was not written, the newest first."""
        self._open = False
        abandoned, self._outbox = self._outbox, deque()
        self._queued_bytes = 0
        self._flushed.set()
        for _, on_written in reversed(abandoned):
            if on_written is not None:
                on_written(Status.OFFLINE)

    async def _close(self, code: CloseCode, reason: str, flush: bool) -> None:
        if flush:
            with suppress(TimeoutError):  # a reader that slow misses the rest
                async with asyncio.timeout(self._close_timeout_s):
                    await self._answered()
                    await self._flushed.wait()
        # Why: a close frame queues behind what a deaf client does not read, and `close` waits
        # for that with no bound of its own.
        # 原因：关闭帧排在对端不读的数据后面，而 close 对此的等待没有上限。
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await self._ws.close(code, reason)
        except TimeoutError:
            self.abort()

    async def _answered(self) -> None:
        """Wait until each message of this client has been settled; meanwhile take no more."""
        taken = 0
        try:
            while taken < self._window:
                await self.window.acquire()
                taken += 1
        finally:
            for _ in range(taken):
                self.window.release()

    async def _write(self) -> None:
        """Empty the outbox, one frame at a time, at the pace of the reader."""
        while True:
            await self._wake.wait()
            while self._outbox:
                frame, on_written = self._outbox.popleft()
                fate = Status.UNKNOWN
                try:
                    if frame:
                        async with asyncio.timeout(self._stall_s):
                            await self._ws.send(frame, text=True)
                    fate = Status.DELIVERED
                except TimeoutError:
                    # Why: senders on this gateway wait for this write; a reader that pings but
                    # never reads would hold all of them for ever.
                    # 原因：本网关上的发件人都在等这次写入；只发 ping 却从不读的客户端
                    # 会把他们永远拖住。
                    log.info("connection %s reads nothing", self.conn_id)
                    self.close(CloseCode.SLOW_CONSUMER, flush=False)
                except BaseException as error:
                    # Why: what is behind this frame goes back first, then this frame: handed
                    # back newest first, they are in order again.
                    # 原因：先退回排在这一帧后面的，再退回这一帧：由新到旧退回，顺序才能复原。
                    self._abandon()
                    if not isinstance(error, ConnectionClosed):
                        raise
                    return
                finally:
                    self._queued_bytes = max(0, self._queued_bytes - len(frame))
                    if on_written is not None:
                        on_written(fate)
            self._wake.clear()
            self._flushed.set()
