"""Bytes to messages and back, for one server-side WebSocket. No I/O.

`websockets`' sans-I/O core does it all, but for whole text messages, which take a short way. What
came is read in slices, so that who says much is heard a little at a time.
"""

import logging
from collections.abc import Iterable

from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from wsgateway.frames import read_texts, written
from wsgateway.protocol import MAX_FRAME_BYTES

# Why: it logs every connection at "info", and what users write at "debug".
# 原因：它在 info 级别逐连接打日志，在 debug 级别会记录用户写的内容。
_library_log = logging.getLogger("websockets.server")

Said = list[str | Frame | Request]
"""What a slice says: whole texts, other frames, or the request that opens it all."""


class Codec:
    """One WebSocket's bytes, both ways. `eof`: the client sends no more."""

    __slots__ = ("_close_code", "_protocol", "_unread", "eof")

    def __init__(self) -> None:
        self._protocol: ServerProtocol | None = ServerProtocol(
            max_size=MAX_FRAME_BYTES, logger=_library_log
        )
        self._unread = bytearray()
        self.eof = False
        self._close_code: int | None = None

    @property
    def open(self) -> bool:
        """Whether messages can be written."""
        return self._protocol is not None and self._protocol.state is State.OPEN

    @property
    def close_code(self) -> int | None:
        """The code the client closed with; None while it has not."""
        return self._close_code if self._protocol is None else self._protocol.close_code

    @property
    def unread(self) -> int:
        """Bytes that came and are not read yet."""
        return len(self._unread)

    @property
    def over(self) -> bool:
        """Whether nothing more will come, and all that came is read."""
        return self.eof and not self._unread

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes from the client."""
        self._unread += data

    def feed_eof(self) -> None:
        """Take note that no more will come."""
        self.eof = True

    def read(self, most: int) -> Said | None:
        """Read a slice of what came.

        Args:
            most: bytes after which a slice ends.

        Returns:
            What it says, maybe nothing; None if nothing is there, or not all of a message.
        """
        protocol = self._protocol
        if protocol is None or not self._unread:
            return None
        if (
            protocol.state is State.OPEN
            and not protocol.reader.buffer
            and protocol.current_size is None  # not within a message in parts
        ):
            texts, used, more = read_texts(self._unread, most)
            if texts:
                del self._unread[:used]
                return list(texts)
            if more and not self.eof:
                return None
        data = self._unread[:most]
        del self._unread[:most]
        protocol.receive_data(data)
        return _said(protocol)

    def end(self) -> Said:
        """Return all that is left to be heard; nothing can be written any more."""
        protocol, self._protocol = self._protocol, None
        if protocol is None:
            return []
        if self._unread:  # else it may have ended already
            protocol.receive_data(self._unread)
        rest = _said(protocol)
        self._unread = bytearray()
        protocol.receive_eof()
        self._close_code = protocol.close_code
        # Why: it and its parser know each other; the collector that frees such rarely wakes.
        # 原因：它与解析器互相引用，只有循环回收器能释放，而它很少醒来。
        vars(protocol).clear()
        return rest

    # What is to be said. Except for messages, `to_send` has the bytes.

    @staticmethod
    def messages(payloads: Iterable[bytes]) -> bytes:
        """Return text messages as bytes to send; only while `open`."""
        return written(payloads)

    def answer(self, request: Request, page: Response | None) -> bool:
        """Answer the opening request: with `page`, or with the handshake.

        Returns:
            Whether it is a WebSocket now.
        """
        if self._protocol is None or self._protocol.eof_sent:
            return False
        self._protocol.send_response(page or self._protocol.accept(request))
        return self.open

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; only while `open`."""
        if self._protocol is not None:
            self._protocol.send_close(code, reason)

    def fail(self, code: int, reason: str) -> None:
        """End it at once, with a close code; only while `open`."""
        if self._protocol is not None:
            self._protocol.fail(code, reason)

    def finish(self) -> None:
        """Take the client's end of the stream for the end of it all."""
        if self._protocol is not None:
            self._protocol.receive_eof()

    def to_send(self) -> list[bytes]:
        """Return what the protocol itself has to say; an empty one is the end of the stream."""
        return [] if self._protocol is None else self._protocol.data_to_send()


def _said(protocol: ServerProtocol) -> Said:
    return [one for one in protocol.events_received() if isinstance(one, Frame | Request)]
