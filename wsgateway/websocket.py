"""One server-side WebSocket: `websockets`' sans-I/O core, and asyncio at its edge.

All frames of a segment are handled in one call, and many frames leave with one system call: no
queue, no task and no future per frame.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol, cast

from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from wsgateway.errors import CloseCode
from wsgateway.frames import read_texts, written
from wsgateway.incoming import Hearer, Incoming
from wsgateway.protocol import MAX_FRAME_BYTES

log = logging.getLogger(__name__)
# Why: it logs every connection at "info", and what users write at "debug".
# 原因：它在 info 级别逐连接打日志，在 debug 级别会记录用户写的内容。
_library_log = logging.getLogger("websockets.server")

# Why: our own writer waits, so what piles up behind it are answers to protocol pings. They pass
# our outbox, and a client that pings and never reads could fill this gateway's memory.
# 原因：我们自己的写入会等待，堆在后面的只会是对协议层 ping 的应答。它们绕过发件箱，
# 只发 ping 从不读的客户端会撑爆网关内存。
_PENDING_BYTES = 4 * MAX_FRAME_BYTES

# Why: one segment may hold thousands of frames. Taken in at once, fifty greedy clients made each
# turn of the loop last 0.3 s, for all others too; so each gets a slice per turn.
# 原因：一个 TCP 段可能装着几千帧。若一次读完，五十个贪心的客户端会让事件循环每轮长达 0.3 秒，
# 别人也得跟着等；所以每个客户端每轮只读一片。
_SLICE_BYTES = 2 * 1024


class Peer(Hearer, Protocol):
    """What a WebSocket tells about its client."""

    def writable(self) -> None:
        """All that was written is in the kernel's hands."""

    def ended(self) -> None:
        """That was all: it is lost, and all it had said is told."""


class WebSocket(asyncio.Protocol):
    """A socket from its TCP connection to its end.

    Args:
        respond: the page for a plain HTTP request; None when it is for the WebSocket.
        opened: makes the peer when the handshake is done.
        closed: told when the TCP connection is gone.
        handshake_timeout_s: bound on the opening handshake, seconds.
        close_timeout_s: bound on the closing handshake, seconds.
    """

    __slots__ = (
        "_close_code",
        "_close_timeout_s",
        "_closed",
        "_eof",
        "_held",
        "_incoming",
        "_lost",
        "_opened",
        "_peer",
        "_protocol",
        "_respond",
        "_timer",
        "_turn",
        "_unread",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(
        self,
        respond: Callable[[Request], Response | None],
        opened: "Callable[[WebSocket], Peer]",
        closed: "Callable[[WebSocket], None]",
        *,
        handshake_timeout_s: float,
        close_timeout_s: float,
    ) -> None:
        self._protocol = ServerProtocol(max_size=MAX_FRAME_BYTES, logger=_library_log)
        self._respond = respond
        self._opened = opened
        self._closed = closed
        self._close_timeout_s = close_timeout_s
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            handshake_timeout_s, self.abort
        )
        self._peer: Peer | None = None
        self._incoming: Incoming | None = None
        self._held = self._lost = self._eof = self._turn = False
        self._unread = bytearray()
        self._close_code: int | None = None

    @property
    def open(self) -> bool:
        """Whether frames can be written."""
        return not self._lost and self._protocol.state is State.OPEN

    @property
    def close_code(self) -> int | None:
        """The code the client closed with; None while it has not."""
        return self._close_code if self._lost else self._protocol.close_code

    def write(self, frames: Iterable[bytes]) -> bool:
        """Write text frames with one system call; only while `open`.

        Returns:
            Whether the kernel has them all. If not, `writable` tells, or `lost`.
        """
        self.transport.write(written(frames))
        return not (self.transport.get_write_buffer_size() or self.transport.is_closing())

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; a client that does not answer is dropped."""
        if self.open:
            self._protocol.send_close(code, reason)
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
            if not self._lost:
                self._go_on()

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        # Why: "written" means in the kernel's hands, which outlive us. What a buffer of this
        # process holds would be lost with it, after its message had been called delivered.
        # 原因：“已写出”指交到了内核手里，进程死了也还在。若还留在本进程的缓冲里，
        # 进程一死就丢了，而那条消息却已算作送达。
        self.transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._unread += data
        self._go_on()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`; it stays half open until all that came is read."""
        self._eof = True
        self._go_on()
        return not self.transport.is_closing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`: the limit is 0, so the buffer is empty now."""
        if self._peer is not None:
            self._peer.writable()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._unread:  # else it may have ended already
            self._protocol.receive_data(self._unread)
        rest = self._protocol.events_received()
        self._unread = bytearray()
        self._protocol.receive_eof()
        self._close_code = self._protocol.close_code
        self._lost = True
        # Why: it and its parser know each other; the collector that frees such rarely wakes.
        # 原因：它与解析器互相引用，只有循环回收器能释放，而它很少醒来。
        vars(self._protocol).clear()
        self._stop_timer()
        self._closed(self)
        if self._peer is not None:
            self._peer.lost()
            self._hear(frames_of(rest))

    # Inside.

    def _go_on(self) -> None:
        """Read a slice that says something; the next one in the next turn of the loop."""
        if self._turn or self._lost:
            return
        said: bool | None = False
        while self._unread and said is False and not self._paused:
            said = self._read()
        if self._unread and said is not None and not self._paused:
            if not self._turn:  # an answer that came at once may have gone on already
                self._turn = True
                asyncio.get_running_loop().call_soon(self._next_turn)
        elif self._eof and not self._unread:
            self._protocol.receive_eof()
            self._send()
            self.transport.close()
            return
        self._hold()

    def _next_turn(self) -> None:
        self._turn = False
        self._go_on()

    def _read(self) -> bool | None:
        """Take in a slice; return whether it said anything, None if its message is not all there."""
        protocol = self._protocol
        if (
            protocol.state is State.OPEN
            and not protocol.reader.buffer
            and protocol.current_size is None  # not within a message in parts
        ):
            texts, used, more = read_texts(self._unread, _SLICE_BYTES)
            if texts:
                del self._unread[:used]
                self._hear(texts)
                return True
            if more and not self._eof:
                return None
        data = self._unread[:_SLICE_BYTES]
        del self._unread[:_SLICE_BYTES]
        protocol.receive_data(data)
        events = protocol.events_received()
        if self._peer is None and events:
            self._shake_hands(events.pop(0))
        self._send()
        if self.transport.get_write_buffer_size() > _PENDING_BYTES:
            self.abort()
        elif events:
            self._hear(frames_of(events))
        return bool(events)

    def _hold(self) -> None:
        """Read from the kernel only what can be heard soon."""
        hold = self._paused or len(self._unread) > 2 * MAX_FRAME_BYTES
        if hold is not self._held and not (self.transport.is_closing() or self._eof):
            self._held = hold
            if hold:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    @property
    def _paused(self) -> bool:
        return self._incoming is not None and self._incoming.paused

    def _shake_hands(self, request: Event) -> None:
        if not isinstance(request, Request) or self._protocol.eof_sent:
            return
        response = self._respond(request) or self._protocol.accept(request)
        self._protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._stop_timer()
            self._peer = self._opened(self)
            self._incoming = Incoming(self._peer, self._fail)

    def _hear(self, said: Iterable[str | Frame] = ()) -> None:
        """Tell the peer what it may hear by now, and its end behind the last of it."""
        incoming, peer = self._incoming, self._peer
        if incoming is None or peer is None:
            return
        try:
            incoming.take(said)
        except Exception:  # a bug: the client sees 1011, and our log tells
            log.exception("a connection failed")
            incoming.stop()
            self._fail(CloseCode.INTERNAL_ERROR, "")
        # Why: what a client said before it left was said. It is told first, at the pace of the
        # pause, and only then is this its end.
        # 原因：客户端离开前说过的话仍然算数。先按暂停的节奏讲完，才算结束。
        if self._lost and not incoming.paused:
            self._peer = self._incoming = None
            peer.ended()

    def _fail(self, code: int, reason: str) -> None:
        if self.open:
            self._protocol.fail(code, reason)
            self._send()

    def _send(self) -> None:
        """Write what the protocol itself has to say: answers, close frames, the end."""
        for data in self._protocol.data_to_send():
            if self.transport.is_closing():
                return
            if data:
                self.transport.write(data)
                continue
            self._bound_closing()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

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


def frames_of(events: Iterable[Event]) -> list[Frame]:
    """Return the events that are frames."""
    return [event for event in events if isinstance(event, Frame)]
