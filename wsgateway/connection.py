"""One client: its window, its outbox, and how it is closed."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from wsgateway.config import Config
from wsgateway.errors import CloseCode
from wsgateway.outbox import OnWritten, Outbox, Writable

log = logging.getLogger(__name__)


class Socket(Writable, Protocol):
    """What a connection needs of its WebSocket."""

    @property
    def close_code(self) -> int | None:
        """The code the client closed with; None while it has not."""

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake."""

    def abort(self) -> None:
        """Drop the TCP connection."""

    def pause(self) -> None:
        """Tell nothing until `resume`."""

    def resume(self) -> None:
        """Go on."""


class Connection:
    """A client's socket, registered or not.

    Args:
        ws: the WebSocket; it tells this connection what it hears, see `incoming.Peer`.
        conn_id: unique among all gateways, for all time.
        config: bounds: `outbox_bytes`, `window`, `close_timeout_s`, `stall_s`.
        receive: takes each text message, unless the connection is closing.
        ended: told last of all.
    """

    __slots__ = (
        "_answered",
        "_close_code",
        "_closing",
        "_config",
        "_ended",
        "_in_flight",
        "_loop",
        "_outbox",
        "_receive",
        "_ws",
        "conn_id",
        "deadline",
        "epoch",
        "last_refresh_s",
        "last_seen_s",
        "refreshing",
        "user",
    )

    def __init__(
        self,
        ws: Socket,
        conn_id: str,
        config: Config,
        receive: "Callable[[Connection, str], None]",
        ended: "Callable[[Connection], None]",
    ) -> None:
        self.conn_id = conn_id
        self.user: str | None = None
        self.epoch = 0
        self.deadline: asyncio.TimerHandle | None = None
        self.refreshing: asyncio.Future[Any] | None = None
        self.last_refresh_s = 0.0
        self._loop = asyncio.get_running_loop()
        self.last_seen_s = self._loop.time()
        self._ws = ws
        self._outbox = Outbox(ws, self, config)
        self._config = config
        self._receive = receive
        self._ended = ended
        self._in_flight = 0
        self._answered: asyncio.Future[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._close_code: CloseCode | None = None

    @property
    def open(self) -> bool:
        """Whether `send` still takes frames."""
        return self._outbox.open

    @property
    def queued_bytes(self) -> int:
        """Bytes in the outbox."""
        return self._outbox.queued_bytes

    @property
    def close_code(self) -> int:
        """The code it ended with: ours if we closed, even one nobody answered; 1006 for none."""
        return self._close_code or self._ws.close_code or 1006

    def send(self, frame: bytes, on_written: OnWritten | None = None) -> bool:
        """Queue `frame`; never blocks.

        Args:
            frame: an encoded text frame; an empty one is a place in the queue, not sent.
            on_written: told `delivered` once written to the socket, `offline` if it never
                will be, `unknown` if the socket ended in the middle of it.

        Returns:
            False when the connection is closing: `on_written` is not called then.
        """
        return self._outbox.put(frame, on_written)

    def close(self, code: CloseCode, reason: str = "", *, flush: bool = True) -> None:
        """Begin to close; the first call decides the code, and any may give up on flushing.

        Args:
            code: the close code the client sees.
            reason: at most 123 bytes.
            flush: write what is queued first (bounded); otherwise it is handed back at once.
        """
        if not flush:
            self._outbox.abandon()
        if self._closing is None:
            self._close_code = code
            self._closing = asyncio.create_task(self._close(code, reason, flush))

    def abort(self) -> None:
        """Drop the TCP connection now, without a closing handshake."""
        self._ws.abort()

    def wait(self) -> None:
        """Hear nothing more until `go_on`: what was heard is answered first."""
        self._ws.pause()

    def go_on(self) -> None:
        """Hear what came meanwhile."""
        self._ws.resume()

    def take(self) -> None:
        """Count a message of this client as in flight."""
        # Why: a client that never waits for its acks is paused here, by TCP, and nobody else.
        # 原因：从不等确认的客户端会在这里被 TCP 反压住，别人不受影响。
        self._in_flight += 1
        if self._in_flight >= self._config.window:
            self._ws.pause()

    def settle(self) -> None:
        """Count one of them as answered."""
        self._in_flight -= 1
        if self._in_flight <= self._config.window // 2:
            self._ws.resume()
        self.flushed()

    # What the WebSocket tells.

    def text(self, text: str) -> None:
        """See `incoming.Peer`."""
        self.last_seen_s = self._loop.time()
        if self._closing is None:  # else the client sends it again, elsewhere
            self._receive(self, text)

    def binary(self) -> None:
        """See `incoming.Peer`."""
        self.close(CloseCode.BINARY, "text frames only")

    def writable(self) -> None:
        """See `incoming.Peer`."""
        self._outbox.writable()

    def lost(self) -> None:
        """See `incoming.Peer`."""
        self._outbox.lost()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)  # nobody is there to be answered

    def ended(self) -> None:
        """See `incoming.Peer`."""
        # Why: each knows the other, and the cycle collector, which would free both, rarely wakes.
        # 原因：两者互相引用，只有循环回收器能释放，而它很少醒来。
        self._outbox.forget()
        if self._closing is None or self._closing.done():
            self._ended(self)
        else:
            self._closing.add_done_callback(lambda _: self._ended(self))

    # What the outbox tells.

    def too_slow(self, why: str) -> None:
        """See `outbox.Owner`."""
        log.info("connection %s reads %s", self.conn_id, why)
        self.close(CloseCode.SLOW_CONSUMER, flush=False)

    def flushed(self) -> None:
        """See `outbox.Owner`; while closing, what the client asked must be answered too."""
        answered = self._answered
        if answered is None or answered.done() or self._in_flight:
            return
        if self._outbox.empty:
            answered.set_result(None)

    async def _close(self, code: CloseCode, reason: str, flush: bool) -> None:
        if flush:
            self._answered = self._loop.create_future()
            self.flushed()
            with suppress(TimeoutError):  # a reader that slow misses the rest
                async with asyncio.timeout(self._config.close_timeout_s):
                    await self._answered
        self._outbox.abandon()
        self._ws.close(code, reason)
