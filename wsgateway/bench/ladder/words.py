"""What is said on the wire, in two ways of reading and writing it: `json` and `msgspec`. Pure."""

import json
from typing import Protocol

import msgspec

OFFLINE = b'{"type":"error","code":"offline","message":"the recipient is not connected anywhere"}'
OVERLOADED = b'{"type":"error","code":"overloaded","message":"too much waits"}'
PONG = b'{"type":"pong"}'


class Words(Protocol):
    """Frames of clients, and envelopes between gateways."""

    def read(self, text: str) -> tuple[str, str, str]:
        """Return a frame's type, the user it names, and its content."""

    def registered(self, user: str) -> bytes:
        """Return the answer to `register`."""

    def envelope(self, to: str, sender: str, content: str) -> bytes:
        """Return what one gateway sends to another."""

    def opened(self, envelope: bytes) -> tuple[str, bytes]:
        """Return whom an envelope is for, and the frame for that client."""


class Json:
    """The standard library: dictionaries, decoded and encoded anew at every stop."""

    def read(self, text: str) -> tuple[str, str, str]:
        """See `Words.read`."""
        frame = json.loads(text)
        return frame["type"], frame.get("to") or frame.get("userId", ""), frame.get("content", "")

    def registered(self, user: str) -> bytes:
        """See `Words.registered`."""
        return json.dumps({"type": "register", "userId": user}).encode()

    def envelope(self, to: str, sender: str, content: str) -> bytes:
        """See `Words.envelope`."""
        return json.dumps({"to": to, "from": sender, "content": content}).encode()

    def opened(self, envelope: bytes) -> tuple[str, bytes]:
        """See `Words.opened`."""
        carried = json.loads(envelope)
        frame = {"type": "message", "from": carried["from"], "content": carried["content"]}
        return carried["to"], json.dumps(frame).encode()


class _Frame(msgspec.Struct):
    type: str
    to: str = ""
    user_id: str = msgspec.field(default="", name="userId")
    content: str = ""


class _Delivery(msgspec.Struct, tag="message", rename={"sender": "from"}):
    sender: str
    content: str


class _Envelope(msgspec.Struct):
    to: str
    frame: msgspec.Raw


_encode = msgspec.json.Encoder().encode
_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class Typed(Json):
    """msgspec: fields of a struct instead of dictionaries.

    The recipient's frame is encoded once, where it enters; the second gateway passes its bytes on.
    """

    def read(self, text: str) -> tuple[str, str, str]:
        """See `Words.read`."""
        frame = _decode_frame(text)
        return frame.type, frame.to or frame.user_id, frame.content

    def envelope(self, to: str, sender: str, content: str) -> bytes:
        """See `Words.envelope`."""
        return _encode(_Envelope(to, msgspec.Raw(_encode(_Delivery(sender, content)))))

    def opened(self, envelope: bytes) -> tuple[str, bytes]:
        """See `Words.opened`."""
        carried = _decode_envelope(envelope)
        return carried.to, bytes(carried.frame)
