"""From frames to whole messages, in order, at the pace of whoever hears them. Pure."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from wsgateway.errors import CloseCode

log = logging.getLogger(__name__)


class Hearer(Protocol):
    """Who hears what a client says."""

    def text(self, text: str) -> None:
        """A whole text message came."""

    def binary(self) -> None:
        """A binary message came."""

    def lost(self) -> None:
        """Nothing can be written to the client any more; what it had said is still told."""


class Peer(Hearer, Protocol):
    """What a WebSocket tells about its client."""

    def writable(self) -> None:
        """All that was written is in the kernel's hands."""

    def ended(self) -> None:
        """That was all: it is lost, and all it had said is told."""


class Incoming:
    """Frames of one client on their way to `hearer`.

    Args:
        hearer: hears each message; may call `pause` while it does.
        fail: ends the connection with a close code and a reason.
    """

    __slots__ = ("_deaf", "_fail", "_fragments", "_hearer", "_telling", "_waiting", "paused")

    def __init__(self, hearer: Hearer, fail: Callable[[int, str], None]) -> None:
        self.paused = False
        self._hearer = hearer
        self._fail = fail
        self._waiting: deque[str | Frame | Request] | None = None
        self._fragments: bytearray | None = None
        self._telling = False
        self._deaf = False

    def take(self, said: Iterable[str | Frame | Request]) -> None:
        """Tell what was said, whole text messages or frames; behind a pause it waits."""
        if self._waiting is None:
            self._waiting = deque(said)
        else:
            self._waiting.extend(said)
        self.go_on()

    def go_on(self) -> None:
        """Tell what waits, unless paused or at it already."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._waiting and not (self.paused or self._deaf):
                self._tell(self._waiting.popleft())
        except Exception:  # a bug: the client sees 1011, and our log tells
            log.exception("a connection failed")
            self._end(CloseCode.INTERNAL_ERROR, "")
        finally:
            self._telling = False
        if not self._waiting or self._deaf:
            self._waiting = None

    def _end(self, code: CloseCode, reason: str) -> None:
        """Tell nothing more, so that nothing is left to pause for."""
        self._deaf = True
        self.paused = False
        self._fail(code, reason)

    def _tell(self, frame: str | Frame | Request) -> None:
        if isinstance(frame, str):
            self._hearer.text(frame)
            return
        if isinstance(frame, Request):
            return  # the one that opened it all
        opcode = frame.opcode
        if opcode is Opcode.TEXT:
            if frame.fin:
                self._text(frame.data)
            else:
                self._fragments = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
            if frame.fin:
                whole, self._fragments = self._fragments, None
                self._text(whole)
        elif opcode is Opcode.BINARY:
            self._hearer.binary()
        elif opcode is Opcode.CLOSE:
            self._hearer.lost()

    def _text(self, data: bytes | bytearray | memoryview) -> None:
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError as error:
            self._end(CloseCode.BAD_UTF8, f"{error.reason} at position {error.start}")
        else:
            self._hearer.text(text)
