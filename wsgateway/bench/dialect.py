"""What a client of some server says, and how it reads what it hears. Pure."""

from enum import Enum, auto
from typing import Protocol

import msgspec


class Heard(Enum):
    """What a frame from a server means to the load generator."""

    READY = auto()  # registered: messages may flow
    MESSAGE = auto()
    ACK = auto()
    REFUSED = auto()
    NOISE = auto()  # a greeting, a heartbeat: answered by `reply`, or ignored


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One decoded frame.

    Args:
        kind: what it means.
        text: of a message, its content; of a refusal, the error code; of an ack, its status.
        id: of an ack or a refusal, the message it is about.
        reply: what the client must answer at once, if anything.
    """

    kind: Heard
    text: str = ""
    id: str | None = None
    reply: bytes | None = None


class Dialect(Protocol):
    """How the clients of one server talk. Text frames only."""

    acks: bool  # whether the server answers each message

    def hello(self, user: str) -> list[bytes]:
        """Return the frames that make this connection speak for `user`."""

    def message(self, to: str, content: str, message_id: str) -> bytes:
        """Return a message for `to`."""

    def read(self, payload: bytes) -> Frame:
        """Return what a frame from the server means."""


class _In(msgspec.Struct):
    type: str
    content: str = ""
    id: str | None = None
    status: str = ""
    code: str = ""
    reply_to: str | None = msgspec.field(default=None, name="replyTo")


_KINDS = {
    "register": Heard.READY,
    "message": Heard.MESSAGE,
    "ack": Heard.ACK,
    "error": Heard.REFUSED,
}
# What a client of ours says every 30 s when it has nothing else to say.
HEARTBEAT = b'{"type":"ping"}'
_decode = msgspec.json.Decoder(_In).decode


class JsonDialect:
    """The frames of `docs/protocol.md`; the small peers speak them too.

    Args:
        ids: whether messages carry an `id`, which asks for an ack and for deduplication.
    """

    def __init__(self, *, ids: bool = True) -> None:
        self.acks = ids

    def hello(self, user: str) -> list[bytes]:
        """See `Dialect.hello`."""
        return [msgspec.json.encode({"type": "register", "userId": user})]

    def message(self, to: str, content: str, message_id: str) -> bytes:
        """See `Dialect.message`."""
        frame = {"type": "message", "to": to, "content": content}
        if self.acks:
            frame["id"] = message_id
        return msgspec.json.encode(frame)

    def read(self, payload: bytes) -> Frame:
        """See `Dialect.read`."""
        frame = _decode(payload)
        text = frame.content or frame.status or frame.code
        return Frame(_KINDS.get(frame.type, Heard.NOISE), text, frame.id or frame.reply_to)
