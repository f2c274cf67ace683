"""From frames to messages: fragments, pauses from within, and what ends a connection."""

import pytest
from websockets.frames import Frame, Opcode

from wsgateway.errors import CloseCode
from wsgateway.incoming import Incoming


def text(data: str | bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, fin)


def more(data: bytes, *, fin: bool) -> Frame:
    return Frame(Opcode.CONT, data, fin)


class Ear:
    """Hears; pauses its own `incoming` at each word in `pauses_at`."""

    def __init__(self, *pauses_at: str) -> None:
        self.heard: list[str] = []
        self.failed: list[int] = []
        self.pauses_at = pauses_at
        self.incoming = Incoming(self, lambda code, why: self.failed.append(code))

    def text(self, text: str) -> None:
        self.heard.append(text)
        if text in self.pauses_at:
            self.incoming.paused = True

    def binary(self) -> None:
        self.heard.append("(binary)")

    def lost(self) -> None:
        self.heard.append("(lost)")


def test_messages_are_told_in_order() -> None:
    ear = Ear()
    ear.incoming.take([text("a"), text("b")])
    ear.incoming.take([text("c"), Frame(Opcode.CLOSE, b"")])
    assert ear.heard == ["a", "b", "c", "(lost)"]


def test_fragments_become_one_message_and_control_frames_may_come_between() -> None:
    whole = "半条消息".encode()
    ear = Ear()
    ear.incoming.take([text(whole[:5], fin=False), Frame(Opcode.PING, b""), more(b"", fin=False)])
    assert ear.heard == []
    ear.incoming.take([more(whole[5:], fin=True), text("next")])
    assert ear.heard == ["半条消息", "next"]


def test_a_pause_from_within_holds_all_that_follows() -> None:
    ear = Ear("a", "c")
    ear.incoming.take([text("a"), text("b"), text("c"), text("d")])
    ear.incoming.take([text("e")])
    assert ear.heard == ["a"]
    ear.incoming.paused = False
    ear.incoming.go_on()
    assert ear.heard == ["a", "b", "c"]
    ear.incoming.paused = False
    ear.incoming.go_on()
    assert ear.heard == ["a", "b", "c", "d", "e"]


def test_going_on_from_within_keeps_the_order() -> None:
    """The answer to a message may come at once, and lift the pause it has just caused."""

    class Hasty(Ear):
        def text(self, text: str) -> None:
            super().text(text)
            self.incoming.paused = False
            self.incoming.go_on()

    ear = Hasty("a")
    ear.incoming.take([text("a"), text("b"), text("c")])
    assert ear.heard == ["a", "b", "c"]


@pytest.mark.parametrize(
    "frames",
    [
        [text(b"\xff")],
        [text(b"\xe5\x8d", fin=False), more(b"", fin=True)],
        [text("早".encode()[:2])],
    ],
)
def test_what_is_not_utf_8_ends_it(frames: list[Frame]) -> None:
    ear = Ear()
    ear.incoming.take([text("before"), *frames, text("after")])
    ear.incoming.take([text("later")])
    assert ear.heard == ["before"]
    assert ear.failed == [CloseCode.BAD_UTF8]


def test_a_binary_message_is_only_reported() -> None:
    ear = Ear()
    ear.incoming.take([Frame(Opcode.BINARY, b"\x00"), text("a")])
    assert ear.heard == ["(binary)", "a"]
