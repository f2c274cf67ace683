"""Envelopes: what one gateway says to another. Pure.

A router carries envelopes as bytes and never looks inside. Several travel in one payload,
joined by newlines: JSON never holds a raw one.
"""

from collections.abc import Iterable

import msgspec

from wsgateway.protocol import Hop


class Carried(
    msgspec.Struct, tag_field="kind", tag="message", rename={"sender": "from"}, omit_defaults=True
):
    """A message on its way to `to`.

    Args:
        to, sender: user ids.
        origin: the gateway the sender is connected to.
        frame: the recipient's frame, encoded once by `origin` and passed through untouched.
        hops: how many times it was forwarded after a miss.
        id: the sender's message id; repeats are suppressed where it is delivered.
        trace: hop timestamps so far, for a traced message.
    """

    to: str
    sender: str
    origin: str
    frame: msgspec.Raw
    hops: int = 0
    id: str | None = None
    trace: list[Hop] | None = None


class Replaced(msgspec.Struct, tag_field="kind", tag="replaced", frozen=True):
    """`user` registered elsewhere: close the connection `conn` with 4001."""

    user: str
    conn: str


class Moved(msgspec.Struct, tag_field="kind", tag="moved", frozen=True):
    """A message for `user` had to be forwarded: forget your cached route."""

    user: str


class Fence(msgspec.Struct, tag_field="kind", tag="fence", frozen=True):
    """Answer with `Fenced` once all that came before this for `user` has been passed on."""

    user: str
    origin: str
    token: int


class Fenced(msgspec.Struct, tag_field="kind", tag="fenced", frozen=True):
    """The answer to a `Fence`."""

    user: str
    token: int


class Undelivered(msgspec.Struct, tag_field="kind", tag="undelivered", frozen=True):
    """A routed message of `sender` found `to` nowhere; `id` if it had one."""

    sender: str
    to: str
    id: str | None = None


Envelope = Carried | Replaced | Moved | Fence | Fenced | Undelivered

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Envelope).decode


def join(envelopes: Iterable[bytes]) -> bytes:
    """Return one payload holding all `envelopes`, in order."""
    return b"\n".join(envelopes)


def split(payload: bytes) -> list[bytes]:
    """Return the envelopes of a payload, in order; empty lines are dropped."""
    return [line for line in payload.split(b"\n") if line]
