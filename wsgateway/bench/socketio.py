"""Socket.IO as its clients speak it over a plain WebSocket. Pure.

Engine.IO 4 and Socket.IO 5, text packets only: https://socket.io/docs/v4/engine-io-protocol/ and
https://socket.io/docs/v4/socket-io-protocol/
"""

from typing import Any

import msgspec

from wsgateway.bench.dialect import Frame, Heard

_PING, _PONG = b"2", b"3"
_CONNECT, _EVENT, _ACK, _REFUSED = b"40", b"42", b"43", b"44"


class SocketIoDialect:
    """A user's id travels in the packet that connects; messages are events.

    Args:
        acks: whether each message asks for an acknowledgement.
    """

    def __init__(self, *, acks: bool = True) -> None:
        self.acks = acks

    def hello(self, user: str) -> list[bytes]:
        """See `Dialect.hello`."""
        return [_CONNECT + msgspec.json.encode({"userId": user})]

    def message(self, to: str, content: str, message_id: str) -> bytes:
        """See `Dialect.message`; an id here is a number."""
        event = msgspec.json.encode(["message", {"to": to, "content": content}])
        return b"".join((_EVENT, message_id.encode() if self.acks else b"", event))

    def read(self, payload: bytes) -> Frame:
        """See `Dialect.read`."""
        if payload.startswith(_EVENT):
            event: list[Any] = msgspec.json.decode(payload[len(_EVENT) :])
            return Frame(Heard.MESSAGE, event[1]["content"])
        if payload.startswith(_ACK):
            number, _, _ = payload[len(_ACK) :].partition(b"[")
            return Frame(Heard.ACK, "routed", number.decode())
        if payload.startswith(_CONNECT):
            return Frame(Heard.READY)
        if payload.startswith(_REFUSED):
            return Frame(Heard.REFUSED, payload[len(_REFUSED) :].decode())
        return Frame(Heard.NOISE, reply=_PONG if payload == _PING else None)
