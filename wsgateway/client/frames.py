"""The frames as a client sees them: the mirror image of `wsgateway.protocol`. Pure."""

import re

import msgspec

from wsgateway.protocol import Ack, Delivery, Registered

PING = b'{"type":"ping"}'

_HINT = re.compile(r"reconnectMs=([0-9]{1,9})")


class Pong(msgspec.Struct, tag="pong", frozen=True):
    """gateway -> client: the answer to a ping."""


class Refusal(msgspec.Struct, tag="error", rename="camel", frozen=True):
    """gateway -> client: an error frame. `code` is open: a newer gateway may know more codes."""

    code: str
    message: str
    reply_to: str | None = None


Incoming = Registered | Pong | Delivery | Ack | Refusal

_decode = msgspec.json.Decoder(Incoming).decode


def decode(data: bytes | str) -> Incoming:
    """Decode one frame of a gateway.

    Raises:
        ValueError: not a frame this client knows.
    """
    try:
        frame: Incoming = _decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return frame


def register(user: str) -> bytes:
    """Encode a `register` frame."""
    return msgspec.json.encode({"type": "register", "userId": user})


def message(to: str, content: str, message_id: str, *, trace: bool) -> bytes:
    """Encode a `message` frame.

    Raises:
        ValueError: the text holds a lone surrogate, which UTF-8 cannot carry.
    """
    frame: dict[str, str | bool] = {
        "type": "message",
        "to": to,
        "content": content,
        "id": message_id,
    }
    if trace:
        frame["trace"] = True
    return msgspec.json.encode(frame)


def reconnect_hint_ms(reason: str) -> int | None:
    """Return the reconnect hint in the close reason of a draining gateway, milliseconds."""
    found = _HINT.fullmatch(reason)
    return int(found[1]) if found else None
