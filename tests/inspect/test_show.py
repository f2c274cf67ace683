"""What a person reads: columns that line up, states in words, nothing a terminal would obey."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.inspect.facts import (
    GatewayFact,
    GatewaysReport,
    LeaseFact,
    LetterFact,
    LettersReport,
    State,
    UserFact,
)
from wsgateway.inspect.show import lines, printable, table

LIVE = LeaseFact(holder="here", left_s=2.5)


def letter() -> LetterFact:
    return LetterFact(
        time_ms=1_700_000_000_123,
        reason="offline",
        gateway="g1",
        partition=0,
        offset=7,
        user="bob",
        sender="alice",
        id="m1",
        bytes=100,
    )


def test_columns_line_up_and_numbers_stand_on_the_right() -> None:
    assert table(("name", "count", "note"), [("a", 5, "x"), ("long-name", 1234, "-")]) == [
        "name       count  note",
        "a              5  x",
        "long-name   1234  -",
    ]


def test_a_missing_number_stands_where_numbers_do() -> None:
    assert table(("n", "left"), [("a", "-"), ("b", "12.5 s")]) == [
        "n    left",
        "a       -",
        "b  12.5 s",
    ]


def test_a_table_may_be_empty() -> None:
    assert table(("a", "b"), []) == ["a  b"]


@given(st.text())
def test_nothing_printed_is_obeyed_by_a_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert text == shown or not text.isprintable()


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "a\nb", "a\u202eb", "a\rb", "\u2028"])
def test_no_letter_can_forge_a_line(text: str) -> None:
    report = LettersReport(
        router="kafka",
        broker="b",
        topic="t",
        total=1,
        letters=[
            msgspec.structs.replace(
                letter(), user=text, sender=text, id=text, reason=text, gateway=text, content=text
            )
        ],
    )
    said = lines("dead-letters", report)
    assert len(said) == 4
    assert all(line.isprintable() for line in said)
    assert said[-1].count(printable(text)) == 6


def test_chinese_is_printed_as_it_is() -> None:
    assert printable("你好 👋") == "你好 👋"


def test_content_has_a_column_only_when_there_is_content() -> None:
    report = LettersReport(router="kafka", broker="b", topic="t", total=9, letters=[letter()])
    broker, count, head, row = lines("dead-letters", report)
    assert (broker, count) == ("b", "t: 1 of 9, the newest last")
    assert head.split() == ["time", "reason", "gateway", "user", "sender", "id", "bytes"]
    assert row.startswith("2023-11-14 22:13:20.123 UTC  offline  g1")
    with_content = msgspec.structs.replace(
        report, letters=[msgspec.structs.replace(letter(), content="hi there")]
    )
    assert lines("dead-letters", with_content)[2].endswith("bytes  content")
    assert lines("dead-letters", with_content)[3].endswith("  hi there")


def told(fact: UserFact) -> str:
    return "\n".join(lines("presence", fact))


def test_where_a_user_is_in_words() -> None:
    here = UserFact(
        user="bob",
        state=State.CONNECTED,
        gateway="g1",
        connection="c1",
        epoch_us=1_700_000_000_123_456,
        left_s=42.04,
    )
    assert told(here).splitlines() == [
        "user        bob",
        "gateway     g1",
        "connection  c1",
        "since       2023-11-14 22:13:20.123 UTC",
        "lapses      in 42.0 s",
    ]
    stale = msgspec.structs.replace(here, state=State.STALE)
    assert "gateway g1 is gone" in told(stale)
    assert told(UserFact(user="bob", state=State.NOWHERE)) == "bob is not connected anywhere"
    unreadable = told(UserFact(user="bob", state=State.UNREADABLE))
    assert "no gateway wrote" in unreadable
    assert unreadable.endswith("lapses never")


@pytest.mark.parametrize("epoch_us", [10**18, -(10**18), (1 << 63) - 1, None])
def test_a_time_nobody_can_mean_is_shown_somehow(epoch_us: int | None) -> None:
    fact = UserFact(
        user="bob", state=State.CONNECTED, gateway="g", connection="c", epoch_us=epoch_us
    )
    assert any("since" in line for line in lines("presence", fact))


def test_lower_bounds_are_called_so() -> None:
    one = GatewayFact(id="g1", lease=LIVE, users=3, subscribers=1)
    report = GatewaysReport(router="redis", broker="b", complete=True, gateways=[one])
    assert ">=" not in "\n".join(lines("gateways", report))
    partly = "\n".join(lines("gateways", msgspec.structs.replace(report, complete=False)))
    assert ">= 3" in partly
    assert "lower bounds" in partly


def test_who_reads_a_topic() -> None:
    assert LIVE.reader("g1") == "g1"
    assert LeaseFact().reader("g1") == "nobody"
    assert LeaseFact(adopted_by="g2").reader("g1") == "g2 (adopted)"
    still_with_the_adopter = msgspec.structs.replace(LIVE, adopted_by="g2")
    assert still_with_the_adopter.reader("g1") == "g2 (adopted)"
