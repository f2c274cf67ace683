"""The client protocol: JSON text frames, decoded once and encoded once. Pure.

`docs/protocol.md` is the specification; its bad-input table is run row by row against
`parse_frame` and a live gateway.
"""

import json
import re
from collections import Counter
from enum import StrEnum
from typing import Any

import msgspec

from wsgateway.errors import ErrorCode, WsGatewayError

MAX_FRAME_BYTES = 64 * 1024
MAX_DEPTH = 64
PONG = b'{"type":"pong"}'

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_is_id = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


class Status(StrEnum):
    """What a gateway may claim of a message; `docs/protocol.md` words each exactly."""

    DELIVERED = "delivered"
    ROUTED = "routed"
    ACCEPTED = "accepted"
    OFFLINE = "offline"
    UNKNOWN = "unknown"

    __hash__ = str.__hash__  # an enum's own is a Python function; every message counts its fate


class FrameError(WsGatewayError):
    """A frame the gateway refuses.

    Args:
        code: the stable code of the error frame.
        message: one English sentence for a person.
        reply_to: the frame's own `id`, when it had a usable one.
    """

    def __init__(self, code: ErrorCode, message: str, reply_to: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reply_to = reply_to


class Register(msgspec.Struct, tag="register", rename="camel", frozen=True):
    """client -> gateway: this connection speaks for `user_id`."""

    user_id: str
    id: str | None = None


class Ping(msgspec.Struct, tag="ping", frozen=True):
    """client -> gateway: the application heartbeat."""

    id: str | None = None


class Message(msgspec.Struct, tag="message", frozen=True):
    """client -> gateway: `content` for the user `to`; kept `id` on retry; `trace` asks for hops."""

    to: str
    content: str
    id: str | None = None
    trace: bool = False


class Hop(msgspec.Struct, frozen=True):
    """One timestamp of a traced message: gateway id, stage, microseconds since the Unix epoch."""

    at: str
    stage: str
    us: int


class Registered(msgspec.Struct, tag="register", rename="camel", frozen=True):
    """gateway -> client: the answer to `register`; `heartbeat_ms` is the ping interval."""

    user_id: str
    conn_id: str
    gateway_id: str
    heartbeat_ms: int


class Delivery(
    msgspec.Struct, tag="message", rename={"sender": "from"}, omit_defaults=True, frozen=True
):
    """gateway -> client: a message as its recipient sees it."""

    sender: str
    content: str
    id: str | None = None
    trace: list[Hop] | None = None


class Ack(msgspec.Struct, tag="ack", frozen=True):
    """gateway -> client: what became of the message `id`."""

    id: str
    status: Status


class Error(msgspec.Struct, tag="error", rename="camel", omit_defaults=True, frozen=True):
    """gateway -> client: a refusal, and to which frame."""

    code: ErrorCode
    message: str
    reply_to: str | None = None


Frame = Register | Ping | Message

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Frame).decode
_decode_delivery = msgspec.json.Decoder(Delivery).decode
_TYPES = ("register", "ping", "message")
# Quotes in the shortest form of each frame, without its `id`.
_QUOTES: dict[type[Frame], int] = {Register: 8, Ping: 4, Message: 12}
_KEYS = ('"type"', '"userId"', '"to"', '"content"', '"id"', '"trace"')


def is_id(text: str) -> bool:
    """Whether the whole of `text` is a user, gateway or message id: `[A-Za-z0-9_-]{1,64}`."""
    return _is_id(text) is not None


def parse_frame(text: str) -> Frame:
    """Decode and check one client frame.

    Args:
        text: the content of a WebSocket text frame.

    Raises:
        FrameError: with the stable code that goes back to the client.
    """
    _refuse_deep_nesting(text)
    try:
        frame: Frame = _decode(text)
    except msgspec.ValidationError as error:
        raise _shape_error(text, str(error)) from None
    except ValueError as error:  # msgspec.DecodeError, and a lone surrogate in `text`
        raise FrameError(ErrorCode.NOT_JSON, f"not JSON: {error}") from None
    _refuse_duplicate_keys(text, frame)
    _check_ids(frame)
    return frame


def with_trace(frame: bytes, trace: list[Hop]) -> bytes:
    """Return an encoded `Delivery` with its hop timestamps put in."""
    return encode(msgspec.structs.replace(_decode_delivery(frame), trace=trace))


def _shape_error(text: str, why: str) -> FrameError:
    """Say why well-formed JSON is not a frame: an unknown type, or a wrong shape."""
    try:
        value: Any = msgspec.json.decode(text)
    except ValueError:  # a number beyond msgspec's range
        return FrameError(ErrorCode.BAD_FRAME, why)
    if not isinstance(value, dict):
        return FrameError(ErrorCode.BAD_FRAME, "a frame is a JSON object")
    frame_id = value.get("id")
    reply_to = frame_id if isinstance(frame_id, str) and is_id(frame_id) else None
    kind = value.get("type")
    if isinstance(kind, str) and kind not in _TYPES:
        return FrameError(ErrorCode.UNKNOWN_TYPE, "unknown frame type", reply_to)
    return FrameError(ErrorCode.BAD_FRAME, why, reply_to)


def _refuse_deep_nesting(text: str) -> None:
    # Why: how deep a parser gets before it gives up differs between Python versions (1,000 or
    # 10,000 levels, or what the stack holds), so the limit is ours. Few frames have more
    # brackets than that; only those are looked at, without their strings.
    # 原因：解析器能嵌套多深因 Python 版本而异（一千层、一万层，或取决于栈大小），所以由我们定上限。
    # 括号数超过上限的帧很少，只有它们才需要去掉字符串后再数。
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise FrameError(ErrorCode.BAD_FRAME, f"nested more than {MAX_DEPTH} levels deep")


def _refuse_duplicate_keys(text: str, frame: Frame) -> None:
    # Why: JSON leaves repeated keys undefined, so two parsers may see two different messages
    # (RFC 8259 section 4). Each key and each string take two quotes, so a frame with as many as
    # its fields need holds nothing twice; one count tells. Only what looks suspicious, or hides
    # a name behind an escape, is parsed a second time.
    # 原因：JSON 未定义重复键的含义（RFC 8259 第 4 节），两个解析器可能读出两条不同的消息。
    # 每个键、每个字符串各占两个引号，引号数恰好等于各字段所需，就不可能有重复，数一遍即可；
    # 只有可疑的帧或用转义藏键名的帧才再解析一次。
    quotes = _QUOTES[type(frame)] + (4 if frame.id is not None else 0)
    if text.count('"') == quotes and "\\" not in text:
        return
    if "\\" not in text and all(text.count(key) <= 1 for key in _KEYS):
        return

    def count(pairs: list[tuple[str, Any]]) -> Counter[str]:
        return Counter(key for key, _ in pairs)

    names = json.loads(text, object_pairs_hook=count, parse_int=str)
    if any(names[key.strip('"')] > 1 for key in _KEYS):
        raise FrameError(ErrorCode.DUPLICATE_KEY, "a key is given twice", _safe(frame.id))


def _check_ids(frame: Frame) -> None:
    if frame.id is not None and not is_id(frame.id):
        raise FrameError(ErrorCode.BAD_ID, "an id is 1 to 64 of A-Z a-z 0-9 _ -")
    if isinstance(frame, Ping):
        return
    if isinstance(frame, Message):
        if not frame.content:
            raise FrameError(ErrorCode.EMPTY_CONTENT, "the content is empty", frame.id)
        user = frame.to
    else:
        user = frame.user_id
    if not is_id(user):
        raise FrameError(ErrorCode.BAD_USER_ID, "a user id is 1 to 64 of A-Z a-z 0-9 _ -", frame.id)


def _safe(frame_id: str | None) -> str | None:
    return frame_id if frame_id is not None and is_id(frame_id) else None
