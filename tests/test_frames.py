"""Whole text frames, read and written by hand, against the library that knows all frames."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from wsgateway.frames import read_texts, written

TEXTS = st.lists(st.text(max_size=200) | st.text("字a", min_size=100, max_size=70_000), max_size=5)


def masked(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


@given(TEXTS)
def test_what_is_written_is_what_the_library_writes(texts: list[str]) -> None:
    payloads = [text.encode() for text in texts]
    theirs = [Frame(Opcode.TEXT, one).serialize(mask=False) for one in payloads]
    assert written(payloads) == b"".join(theirs)


@given(TEXTS, st.integers(0, 300))
def test_what_is_read_is_what_the_library_reads(texts: list[str], cut: int) -> None:
    """Of a stream that ends anywhere: the same messages, and the rest left for the library."""
    short = [text for text in texts if len(text.encode()) < 1 << 16]
    data = b"".join(masked(Opcode.TEXT, text.encode()) for text in short)
    data = data[: max(0, len(data) - cut)]
    library = ServerProtocol(state=State.OPEN)
    library.receive_data(data)
    theirs = [bytes(event.data).decode() for event in library.events_received()]
    read, used, more = read_texts(data, 1 << 30)
    library = ServerProtocol(state=State.OPEN)
    library.receive_data(data[used:])
    rest = [bytes(event.data).decode() for event in library.events_received()]
    assert read + rest == theirs
    assert rest == []
    assert more == (used < len(data))


@given(
    st.sampled_from(
        [
            masked(Opcode.PING, b"12345678"),
            masked(Opcode.BINARY, b"12345678"),
            masked(Opcode.TEXT, b"12345678", fin=False),
            masked(Opcode.CONT, b"12345678"),
            masked(Opcode.CLOSE, b"\x03\xe8bye bye"),
            masked(Opcode.TEXT, b"\xff2345678"),
            masked(Opcode.TEXT, b"x" * (1 << 16)),
            Frame(Opcode.TEXT, b"not masked").serialize(mask=False),
            Frame(Opcode.TEXT, b"x" * 300).serialize(mask=False),
            b"\xc1" + masked(Opcode.TEXT, b"a reserved bit")[1:],
        ]
    )
)
def test_all_else_is_left_to_the_library(other: bytes) -> None:
    before, after = masked(Opcode.TEXT, b"before"), masked(Opcode.TEXT, b"after")
    assert read_texts(before + other + after, 1 << 30) == (["before"], len(before), False)


def test_it_stops_after_so_many_bytes() -> None:
    one = masked(Opcode.TEXT, b"one")
    assert read_texts(one * 5, len(one) + 1) == (["one"] * 2, 2 * len(one), False)
    assert read_texts(one * 5, 1) == (["one"], len(one), False)


@given(st.binary(max_size=64))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    _, used, _ = read_texts(data, 1 << 30)
    assert used <= len(data)
