"""Frames decoded and refused; pure."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway import protocol
from wsgateway.errors import ErrorCode
from wsgateway.protocol import (
    Ack,
    Delivery,
    Error,
    FrameError,
    Hop,
    Message,
    Ping,
    Register,
    Registered,
    Status,
    is_id,
    parse_frame,
)

IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


def refusal(text: str) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parse_frame(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"register","userId":"alice"}', Register("alice")),
        ('{"type":"register","userId":"alice","id":"r1"}', Register("alice", "r1")),
        ('{"type":"ping"}', Ping()),
        ('{"type":"message","to":"bob","content":"hi"}', Message("bob", "hi")),
        (
            '{"type":"message","to":"bob","content":"hi","id":"m1","trace":true}',
            Message("bob", "hi", "m1", True),
        ),
        ('{"content":"to","x":[{"to":1}],"to":"bob","type":"message"}', Message("bob", "to")),
        (r'{"type":"message","to":"bob","content":"\"to\":\n"}', Message("bob", '"to":\n')),
    ],
)
def test_a_good_frame_is_what_it_says(text: str, frame: protocol.Frame) -> None:
    assert parse_frame(text) == frame


@pytest.mark.parametrize("levels", [63, 64, 65, 2_000, 30_000])
def test_how_deep_a_frame_may_nest_does_not_depend_on_python(levels: int) -> None:
    nested = '{"type":"ping","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"
    if levels <= protocol.MAX_DEPTH:
        assert parse_frame(nested) == Ping()
    else:
        assert refusal(nested).code is ErrorCode.BAD_FRAME


@pytest.mark.parametrize("content", ["[" * 900, "}{" * 900, '"[' * 900, '\\"[' * 900])
def test_brackets_in_a_text_are_not_nesting(content: str) -> None:
    frame = {"type": "message", "to": "bob", "content": content, "x": [[]] * 900}
    assert parse_frame(json.dumps(frame)) == Message("bob", content)


@given(
    IDS,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.none() | IDS,
    st.booleans(),
)
def test_any_content_survives_the_way_in(
    to: str, content: str, frame_id: str | None, ascii_only: bool
) -> None:
    frame = {"type": "message", "to": to, "content": content, "id": frame_id}
    text = json.dumps(frame, ensure_ascii=ascii_only)
    assert parse_frame(text) == Message(to, content, frame_id)


@pytest.mark.parametrize(
    ("text", "code", "reply_to"),
    [
        ("", ErrorCode.NOT_JSON, None),
        ("{", ErrorCode.NOT_JSON, None),
        ('{"type":"ping","x":NaN}', ErrorCode.NOT_JSON, None),
        ('{"type":"ping"}{"type":"ping"}', ErrorCode.NOT_JSON, None),
        ('{"type":"ping","x":"\ud800"}', ErrorCode.NOT_JSON, None),
        ("[]", ErrorCode.BAD_FRAME, None),
        ("{}", ErrorCode.BAD_FRAME, None),
        ('{"type":7,"id":"a"}', ErrorCode.BAD_FRAME, "a"),
        ('{"type":"message","to":"bob","id":"m1"}', ErrorCode.BAD_FRAME, "m1"),
        ('{"type":"message","to":5,"content":"x"}', ErrorCode.BAD_FRAME, None),
        ('{"type":"message","to":"b","content":"x","id":5}', ErrorCode.BAD_FRAME, None),
        ('{"type":"message","to":"b","content":"x","trace":1}', ErrorCode.BAD_FRAME, None),
        ('{"type":' + "9" * 5000 + ',"id":"a"}', ErrorCode.BAD_FRAME, None),
        ("[" * 30_000, ErrorCode.BAD_FRAME, None),
        ('{"type":"ping","x":' + "[" * 2000 + "]" * 2000 + "}", ErrorCode.BAD_FRAME, None),
        ('{"type":"quack","id":"q"}', ErrorCode.UNKNOWN_TYPE, "q"),
        ('{"type":"quack","id":"no good"}', ErrorCode.UNKNOWN_TYPE, None),
        ('{"type":"pong"}', ErrorCode.UNKNOWN_TYPE, None),
        ('{"type":"ping","type":"ping"}', ErrorCode.DUPLICATE_KEY, None),
        (
            '{"type":"message","id":"m","to":"bob","to":"carol","content":"x"}',
            ErrorCode.DUPLICATE_KEY,
            "m",
        ),
        (
            r'{"type":"message","to":"bob","t\u006f":"carol","content":"x"}',
            ErrorCode.DUPLICATE_KEY,
            None,
        ),
        ('{"type":"ping","id":"a b"}', ErrorCode.BAD_ID, None),
        ('{"type":"ping","id":""}', ErrorCode.BAD_ID, None),
        ('{"type":"message","to":"bob","content":"","id":"m"}', ErrorCode.EMPTY_CONTENT, "m"),
        ('{"type":"register","userId":"a*","id":"r"}', ErrorCode.BAD_USER_ID, "r"),
        ('{"type":"message","to":"b}","content":"x"}', ErrorCode.BAD_USER_ID, None),
    ],
)
def test_a_bad_frame_says_why_and_which(text: str, code: ErrorCode, reply_to: str | None) -> None:
    error = refusal(text)
    assert (error.code, error.reply_to) == (code, reply_to)
    assert error.message
    assert "\n" not in error.message


@given(st.text() | st.text('{}[]",:\\ud8typeidtocontentping0123456789.-eNa \n', max_size=60))
def test_any_text_is_a_frame_or_a_refusal(text: str) -> None:
    try:
        frame = parse_frame(text)
    except FrameError:
        return
    assert frame.id is None or is_id(frame.id)


@pytest.mark.parametrize("text", ["a", "A-z_9", "x" * 64])
def test_an_id(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text", ["", "a\n", "\na", "a b", "a*", "}", "a\0", "爱丽丝", "x" * 65, "é"]
)
def test_not_an_id(text: str) -> None:
    assert not is_id(text)


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (
            Registered("alice", "c1", "g1", 30_000),
            {
                "type": "register",
                "userId": "alice",
                "connId": "c1",
                "gatewayId": "g1",
                "heartbeatMs": 30_000,
            },
        ),
        (Delivery("alice", "hi"), {"type": "message", "from": "alice", "content": "hi"}),
        (
            Delivery("alice", "hi", "m1", [Hop("g1", "received", 7)]),
            {
                "type": "message",
                "from": "alice",
                "content": "hi",
                "id": "m1",
                "trace": [{"at": "g1", "stage": "received", "us": 7}],
            },
        ),
        (Ack("m1", Status.ROUTED), {"type": "ack", "id": "m1", "status": "routed"}),
        (
            Error(ErrorCode.OFFLINE, "gone"),
            {"type": "error", "code": "offline", "message": "gone"},
        ),
        (
            Error(ErrorCode.BAD_ID, "no", "m1"),
            {"type": "error", "code": "bad_id", "message": "no", "replyTo": "m1"},
        ),
    ],
)
def test_what_the_gateway_says(frame: object, shown: dict[str, Any]) -> None:
    assert json.loads(protocol.encode(frame)) == shown


def test_pong_is_what_the_encoder_would_say() -> None:
    assert json.loads(protocol.PONG) == {"type": "pong"}


def test_a_trace_is_put_into_an_encoded_frame_and_nothing_else_changes() -> None:
    frame = Delivery("alice", 'quotes " and \n', "m1")
    hops = [Hop("g1", "received", 1), Hop("g2", "outbox", 2)]
    traced = json.loads(protocol.with_trace(protocol.encode(frame), hops))
    assert [hop["stage"] for hop in traced.pop("trace")] == ["received", "outbox"]
    assert traced == json.loads(protocol.encode(frame))
