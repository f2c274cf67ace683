"""One server-side WebSocket, at its edge: asyncio on one side, `codec.py` on the other.

Many messages are heard in one call, and leave with one: no queue, task or future per message.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

from websockets.http11 import Request, Response

from wsgateway.codec import Codec, Said
from wsgateway.incoming import Incoming, Peer
from wsgateway.protocol import MAX_FRAME_BYTES
from wsgateway.turns import AT_ONCE_BYTES, Turns

# Why: our own writer waits, so what piles up behind it are answers to protocol pings. They pass
# our outbox, and a client that pings and never reads could fill this gateway's memory.
# 原因：我们自己的写入会等待，堆在后面的只会是对协议层 ping 的应答。它们绕过发件箱，
# 只发 ping 从不读的客户端会撑爆网关内存。
_PENDING_BYTES = 4 * MAX_FRAME_BYTES


class WebSocket(asyncio.BufferedProtocol):
    """A socket from its TCP connection to its end.

    Args:
        respond: the page for a plain HTTP request; None when it is for the WebSocket.
        opened: makes the peer when the handshake is done.
        closed: told when the TCP connection is gone.
        turns: says when what came is heard.
        handshake_timeout_s: bound on the opening handshake, seconds.
        close_timeout_s: bound on the closing handshake, seconds.
    """

    __slots__ = (
        "_close_timeout_s",
        "_closed",
        "_codec",
        "_incoming",
        "_lost",
        "_opened",
        "_peer",
        "_respond",
        "_timer",
        "_turns",
        "_waiting",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(
        self,
        respond: Callable[[Request], Response | None],
        opened: "Callable[[WebSocket], Peer]",
        closed: "Callable[[WebSocket], None]",
        turns: Turns,
        *,
        handshake_timeout_s: float,
        close_timeout_s: float,
    ) -> None:
        self._codec = Codec()
        self._respond = respond
        self._opened = opened
        self._closed = closed
        self._turns = turns
        self._close_timeout_s = close_timeout_s
        loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = loop.call_later(handshake_timeout_s, self.abort)
        self._peer: Peer | None = None
        self._incoming: Incoming | None = None
        self._lost = self._waiting = False

    @property
    def open(self) -> bool:
        """Whether frames can be written."""
        return self._codec.open

    @property
    def close_code(self) -> int | None:
        """The code the client closed with; None while it has not."""
        return self._codec.close_code

    def write(self, frames: Iterable[bytes]) -> bool:
        """Write text frames with one system call, only while `open`; see `outbox.Writable`."""
        self.transport.write(self._codec.messages(frames))
        return not (self.transport.get_write_buffer_size() or self.transport.is_closing())

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; a client that does not answer is dropped."""
        if self.open:
            self._codec.close(code, reason)
            self._send()
            self._bound_closing()

    def abort(self) -> None:
        """Drop the TCP connection now, without a closing handshake."""
        self.transport.abort()

    def pause(self) -> None:
        """Tell no more messages until `resume`; TCP holds the client back."""
        if self._incoming is not None:
            self._incoming.paused = True

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        if self._incoming is not None and self._incoming.paused:
            self._incoming.paused = False
            self._hear()
            (self._wait if self._codec.unread and not self._paused else self._go_on)()

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        # Why: "written" means in the kernel's hands, which outlive us. What a buffer of this
        # process holds would be lost with it, after its message had been called delivered.
        # 原因：“已写出”指交到了内核手里，进程死了也还在。若还留在本进程的缓冲里，
        # 进程一死就丢了，而那条消息却已算作送达。
        self.transport.set_write_buffer_limits(high=0)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        return self._turns.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._codec.feed(self._turns.buffer[:nbytes])
        whole = nbytes < AT_ONCE_BYTES  # or there is more in the kernel
        if whole and self._turns.at_once(self._codec.unread, self._turn):
            self._go_on()
        else:
            self._wait(burst=self._codec.unread if whole else 0)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`; it stays half open until all that came is read."""
        self._codec.feed_eof()
        self._go_on()
        return not self.transport.is_closing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`: the limit is 0, so the buffer is empty now."""
        if self._peer is not None:
            self._peer.writable()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        rest = self._codec.end()
        self._lost = True
        self._stop_timer()
        self._closed(self)
        if self._peer is not None:
            self._peer.lost()
            self._hear(rest)

    # Inside.

    def _go_on(self, most: int = AT_ONCE_BYTES) -> None:
        """Read a slice that says something, of `most` bytes; the next one when it is our turn."""
        if self._waiting or self._lost:
            return
        said: Said | None = []
        while said == [] and not self._paused:
            said = self._codec.read(most)
            if said is not None:
                self._take_in(said)
        if said and self._codec.unread and not self._paused:
            self._wait()
        elif self._codec.over:
            self._codec.finish()
            self._send()
            self.transport.close()
        else:
            self._hold()

    def _wait(self, burst: int = 0) -> None:
        if not self._waiting:
            self._waiting = True
            self._turns.wait(self._turn, burst=burst)
        self._hold()

    def _turn(self, most: int) -> None:
        self._waiting = False
        self._go_on(most)

    def _hold(self) -> None:
        """Read from the kernel only what can be heard now."""
        hold, transport = self._paused or self._waiting, self.transport
        if transport.is_closing() or self._codec.eof or hold is not transport.is_reading():
            return
        (transport.pause_reading if hold else transport.resume_reading)()

    @property
    def _paused(self) -> bool:
        return self._incoming is not None and self._incoming.paused

    def _take_in(self, said: Said) -> None:
        request = said[0] if said else None
        if isinstance(request, Request) and self._codec.answer(request, self._respond(request)):
            self._stop_timer()
            self._peer = self._opened(self)
            self._incoming = Incoming(self._peer, self._fail)
        self._send()
        if self.transport.get_write_buffer_size() > _PENDING_BYTES:
            self.abort()
        elif said:
            self._hear(said)

    def _hear(self, said: Said | None = None) -> None:
        """Tell the peer what it may hear by now, and its end behind the last of it."""
        incoming, peer = self._incoming, self._peer
        if incoming is None or peer is None:
            return
        incoming.take(said or ())
        # Why: what a client said before it left was said. It is told first, at the pace of the
        # pause, and only then is this its end.
        # 原因：客户端离开前说过的话仍然算数。先按暂停的节奏讲完，才算结束。
        if self._lost and not incoming.paused:
            self._peer = self._incoming = None
            peer.ended()

    def _fail(self, code: int, reason: str) -> None:
        if self.open:
            self._codec.fail(code, reason)
            self._send()

    def _send(self) -> None:
        """Write what the protocol itself has to say: answers, close frames, the end."""
        for data in self._codec.to_send():
            if self.transport.is_closing():
                return
            if data:
                self.transport.write(data)
                continue
            self._bound_closing()
            self.transport.write_eof()

    def _bound_closing(self) -> None:
        # Why: a close frame queues behind what a deaf client does not read.
        # 原因：关闭帧排在对端不读的数据后面，可能永远发不出去。
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._close_timeout_s, self.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
