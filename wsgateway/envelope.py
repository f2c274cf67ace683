"""Envelopes: what one gateway says to another. Pure.

A router carries envelopes as bytes and never looks inside. Several travel in one payload,
joined by newlines: JSON never holds a raw one.
"""

from collections.abc import Iterable

import msgspec

from wsgateway.protocol import Hop, Status


class Carried(
    msgspec.Struct, tag_field="kind", tag="message", rename={"sender": "from"}, omit_defaults=True
):
    """A message on its way to `to`.

    Args:
        to, sender: user ids.
        origin: the gateway the sender is connected to.
        frame: the recipient's frame, encoded once by `origin` and passed through untouched.
        path: the gateways that forwarded it after a miss.
        id: the sender's message id; repeats are suppressed where it is delivered.
        trace: hop timestamps so far, for a traced message.
    """

    to: str
    sender: str
    origin: str
    frame: msgspec.Raw
    path: list[str] = []
    id: str | None = None
    trace: list[Hop] | None = None

    @property
    def stream(self) -> str:
        """The gateway where it entered the cluster."""
        return self.origin


class Replaced(msgspec.Struct, tag_field="kind", tag="replaced", frozen=True):
    """`user` registered elsewhere: close the connection `conn` with 4001."""

    user: str
    conn: str


class Moved(msgspec.Struct, tag_field="kind", tag="moved", frozen=True):
    """A message for `user` had to be forwarded: forget your cached route."""

    user: str


class Fence(msgspec.Struct, tag_field="kind", tag="fence", omit_defaults=True):
    """Follows the messages for `to`, gateway by gateway; where they end, `Fenced` is answered.

    Args:
        to: the user who moved.
        origin: the gateway that waits for the answer.
        stream: the gateway where the messages it follows entered the cluster.
        token: the number of this fence.
        path: the gateways that forwarded it.
    """

    to: str
    origin: str
    stream: str
    token: int
    path: list[str] = []


class Fenced(msgspec.Struct, tag_field="kind", tag="fenced", frozen=True):
    """The answer to a `Fence`."""

    user: str
    token: int


class Undelivered(msgspec.Struct, tag_field="kind", tag="undelivered", frozen=True):
    """A routed message of `sender` ended as `status`: offline or unknown; `id` if it had one."""

    sender: str
    to: str
    id: str | None = None
    status: Status = Status.OFFLINE


Envelope = Carried | Replaced | Moved | Fence | Fenced | Undelivered

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Envelope).decode


def concerns(envelope: Envelope) -> str:
    """Return the user an envelope is about: order holds among all that concern one user."""
    if isinstance(envelope, Carried | Fence):
        return envelope.to
    return envelope.sender if isinstance(envelope, Undelivered) else envelope.user


def join(envelopes: Iterable[bytes]) -> bytes:
    """Return one payload holding all `envelopes`, in order."""
    return b"\n".join(envelopes)


def split(payload: bytes) -> list[bytes]:
    """Return the envelopes of a payload, in order; empty lines are dropped."""
    return [line for line in payload.split(b"\n") if line]
