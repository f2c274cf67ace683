"""The parts of the client that do no I/O: retry table, rotation, frames, line editor."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.client import Options, SendRefused, Status, frames
from wsgateway.client.pending import Outcome, Pending
from wsgateway.client.rotation import MAX_HINT_S, Rotation
from wsgateway.client.terminal import LineEditor, tail, visible
from wsgateway.errors import ConfigError

URLS = ["ws://one/ws", "ws://two/ws", "ws://three/ws"]


class Table:
    """A `Pending` whose frames are just the ids, with the outcomes it reported."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.pending = Pending(Options(), random.Random(1), lambda: None)

    def add(self, message_id: str, to: str = "bob") -> None:
        def settle(outcome: Outcome) -> None:
            assert message_id not in self.outcomes, "settled twice"
            self.outcomes[message_id] = outcome

        self.pending.add(message_id, to, message_id.encode(), settle)

    def written(self, now_s: float) -> list[str]:
        """Write all that is due."""
        written = []
        while (frame := self.pending.take(now_s)) is not None:
            written.append(frame.decode())
        return written


def test_each_message_is_written_once_while_its_answer_is_not_overdue() -> None:
    table = Table()
    table.add("a")
    table.add("b")
    assert table.written(0.0) == ["a", "b"]
    assert table.written(4.9) == []
    assert table.pending.next_due_s() == 5.0
    assert table.written(5.0) == ["a", "b"]


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.ROUTED, Status.OFFLINE])
def test_a_first_answer_is_final(status: Status) -> None:
    table = Table()
    table.add("a")
    table.written(0.0)
    table.pending.acked("a", status, 0.1)
    assert table.outcomes == {"a": status}
    assert table.pending.next_due_s() is None


def test_unknown_is_tried_again_after_a_backoff() -> None:
    table = Table()
    table.add("a")
    table.written(0.0)
    table.pending.acked("a", Status.UNKNOWN, 1.0)
    due_s = table.pending.next_due_s()
    assert due_s is not None
    assert 1.0 < due_s <= 1.2
    assert table.written(due_s) == ["a"]
    table.pending.acked("a", Status.DELIVERED, 2.0)
    assert table.outcomes == {"a": Status.DELIVERED}


def test_offline_after_a_doubtful_attempt_is_unknown() -> None:
    table = Table()
    table.add("a")
    table.written(0.0)
    table.pending.lost()
    assert table.written(0.0) == ["a"]
    table.pending.acked("a", Status.OFFLINE, 0.1)
    assert table.outcomes == {"a": Status.UNKNOWN}


def test_offline_after_a_refused_attempt_is_offline() -> None:
    """`unavailable` says that the message was not taken, so there is no doubt."""
    table = Table()
    table.add("a")
    table.written(0.0)
    assert table.pending.refused("a", "unavailable", "no Redis", 0.0)
    assert table.written(1.0) == ["a"]
    table.pending.acked("a", Status.OFFLINE, 1.1)
    assert table.outcomes == {"a": Status.OFFLINE}


def test_a_refusal_is_an_exception_and_a_late_one_is_reported_back() -> None:
    table = Table()
    table.add("a")
    table.written(0.0)
    assert table.pending.refused("a", "to_self", "to oneself", 0.0)
    assert isinstance(table.outcomes["a"], SendRefused)
    assert not table.pending.refused("a", "offline", "gone", 0.0)


def test_an_overtaking_report_settles_the_message() -> None:
    table = Table()
    table.add("a")
    table.written(0.0)
    assert table.pending.refused("a", "offline", "gone", 0.0)
    table.pending.acked("a", Status.ROUTED, 0.1)
    assert table.outcomes == {"a": Status.OFFLINE}


def test_after_a_lost_connection_all_goes_out_again_in_order() -> None:
    table = Table()
    for message_id in "abc":
        table.add(message_id)
    table.written(0.0)
    table.pending.acked("b", Status.DELIVERED, 0.0)
    table.pending.lost()
    table.add("d")
    assert table.written(0.0) == ["a", "c", "d"]


def test_a_waiting_retry_holds_back_its_recipient_and_no_other() -> None:
    table = Table()
    table.add("a", "bob")
    table.written(0.0)
    table.pending.acked("a", Status.UNKNOWN, 0.0)
    table.add("b", "bob")
    table.add("c", "carol")
    assert table.written(0.0) == ["c"]
    assert table.written(1.0) == ["a", "b"]


def test_removing_a_waiting_retry_lets_out_those_behind_it() -> None:
    woken = []
    pending = Pending(Options(), random.Random(1), lambda: woken.append(1))
    pending.add("a", "bob", b"a", lambda _: None)
    pending.take(0.0)
    pending.acked("a", Status.UNKNOWN, 0.0)
    pending.add("b", "bob", b"b", lambda _: None)
    woken.clear()
    pending.remove("a")
    assert woken
    assert pending.take(0.0) == b"b"


@given(st.lists(st.sampled_from(["write", "lost", "unknown", "delivered", "add", "later"])))
def test_whatever_happens_a_recipient_gets_first_writes_in_order(steps: list[str]) -> None:
    table = Table()
    added: list[str] = []
    first_writes: list[str] = []
    now_s = 0.0
    for step in steps:
        now_s += 0.01
        if step == "add":
            added.append(f"m{len(added)}")
            table.add(added[-1])
        elif step == "write":
            written = table.written(now_s)
            first_writes += [one for one in written if one not in first_writes]
        elif step == "lost":
            table.pending.lost()
        elif step == "later":
            now_s += 10.0
        elif first_writes:
            table.pending.acked(first_writes[-1], Status(step), now_s)
    table.pending.lost()
    first_writes += [one for one in table.written(now_s + 100.0) if one not in first_writes]
    assert first_writes == added


def test_rotation_goes_round_and_backs_off() -> None:
    rotation = Rotation(URLS, Options(backoff_base_s=1.0, backoff_cap_s=4.0), random.Random(7))
    visited, bounds = [rotation.url], [1.0, 2.0, 4.0, 4.0]
    for bound_s in bounds:
        assert 0.0 <= rotation.advance() <= bound_s
        visited.append(rotation.url)
    assert visited == [*URLS, *URLS[:2]]
    rotation.held()
    assert all(rotation.advance() <= 1.0 for _ in range(1))


def test_a_hint_is_spread_over_all_of_it_and_bounded() -> None:
    rng = random.Random(3)
    rotation = Rotation(URLS, Options(), rng)
    delays = [rotation.advance(1000) for _ in range(500)]
    assert all(0.0 <= delay_s <= 1.0 for delay_s in delays)
    assert min(delays) < 0.1
    assert max(delays) > 0.9
    assert max(rotation.advance(999_999_999) for _ in range(100)) <= MAX_HINT_S


@pytest.mark.parametrize("urls", [[], ["http://one/ws"], ["ws://"], ["nonsense"]])
def test_a_malformed_address_is_refused_at_once(urls: list[str]) -> None:
    with pytest.raises(ConfigError):
        Rotation(urls, Options(), random.Random())


@pytest.mark.parametrize(
    ("reason", "hint_ms"),
    [
        ("reconnectMs=250", 250),
        ("reconnectMs=0", 0),
        ("reconnectMs=-1", None),
        ("reconnectMs=1e3", None),
        ("reconnectMs=9999999999", None),
        (" reconnectMs=5", None),
        ("", None),
    ],
)
def test_reconnect_hint(reason: str, hint_ms: int | None) -> None:
    assert frames.reconnect_hint_ms(reason) == hint_ms


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"type":"ack"}', b'{"type":"new"}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_frame_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        frames.decode(data)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("hallo\x7f", "hall"),
        ("你好\x7f", "你"),
        ("e\u0301\x7f", ""),
        ("one two\x17", "one "),
        ("one\x17", ""),
        ("\x7f\x7f", ""),
        ("gone\x15back", "back"),
        ("a\x1b[Ab\x1b[1;5Cc\x1bOPd", "abcd"),
        ("a\x00\x01b", "ab"),
        ("x\x04", "x"),
    ],
)
def test_line_editor(keys: str, text: str) -> None:
    editor = LineEditor()
    # Byte by byte: a key may arrive in pieces.
    for byte in keys.encode():
        assert editor.feed(bytes([byte])) == []
    assert editor.text == text
    assert editor.feed(b"\r") == [text]
    assert editor.text == ""


def test_line_editor_ends_at_ctrl_d_on_an_empty_line() -> None:
    editor = LineEditor()
    assert editor.feed(b"one\ntwo\n\x04more\n") == ["one", "two"]
    assert editor.ended


def test_a_message_cannot_drive_the_terminal() -> None:
    assert visible("\x1b[2Jhi\r\nbob: no\x9b") == "\\x1b[2Jhi\\r\\nbob: no\\x9b"
    assert visible("你好 é") == "你好 é"


@given(st.text(alphabet=string.printable + "你好世界"), st.integers(0, 40))
def test_the_tail_of_a_line_fits(text: str, columns: int) -> None:
    shown = tail(text, columns)
    assert text.endswith(shown)
    assert sum(2 if char in "你好世界" else 1 for char in shown) <= columns
