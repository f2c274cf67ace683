"""Envelopes survive the wire; pure."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway import envelope as wire
from wsgateway import protocol
from wsgateway.envelope import Carried, Fence, Fenced, Moved, Replaced, Undelivered
from wsgateway.protocol import Delivery, Hop

FRAME = msgspec.Raw(protocol.encode(Delivery("alice", "line one\nline two\r\n", "m1")))

ENVELOPES = [
    Carried("bob", "alice", "g1", FRAME),
    Carried(
        "bob", "alice", "g1", FRAME, path=["g2", "g3"], id="m1", trace=[Hop("g1", "received", 1)]
    ),
    Replaced("bob", "g1-x-1"),
    Moved("bob"),
    Fence("bob", "g1", "g1", 3),
    Fenced("bob", 3),
    Undelivered("alice", "bob", "m1"),
    Undelivered("alice", "bob"),
]


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_it_comes_back_as_it_went(envelope: wire.Envelope) -> None:
    assert wire.decode(wire.encode(envelope)) == envelope


def test_the_recipients_frame_passes_through_untouched() -> None:
    spaced = msgspec.Raw(b'{ "type":"message" ,  "from":"alice","content":"hi"}')
    through = wire.decode(wire.encode(Carried("bob", "alice", "g1", spaced)))
    assert isinstance(through, Carried)
    assert bytes(through.frame) == bytes(spaced)


def test_names_on_the_wire() -> None:
    shown = json.loads(wire.encode(ENVELOPES[0]))
    assert shown.pop("frame")["content"] == "line one\nline two\r\n"
    assert shown == {"kind": "message", "to": "bob", "from": "alice", "origin": "g1"}


def test_many_travel_in_one_payload_in_order() -> None:
    encoded = [wire.encode(envelope) for envelope in ENVELOPES]
    assert wire.split(wire.join(encoded)) == encoded


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_no_content_can_break_a_payload_apart(contents: list[str]) -> None:
    encoded = [
        wire.encode(
            Carried("bob", "alice", "g1", msgspec.Raw(protocol.encode(Delivery("alice", text))))
        )
        for text in contents
    ]
    assert wire.split(wire.join(encoded)) == encoded


def test_an_empty_payload_holds_nothing() -> None:
    assert wire.split(b"") == []


@pytest.mark.parametrize(
    "data", [b"", b"~canary", b"{}", b"[]", b'{"kind":"quack"}', b'{"kind":"moved"}', b"\xff"]
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.decode(data)
