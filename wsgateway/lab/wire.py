"""How many bytes a message puts on a gateway's network. Pure."""

from dataclasses import dataclass
from typing import Self

import msgspec

from wsgateway.envelope import Carried
from wsgateway.envelope import encode as encode_envelope
from wsgateway.protocol import Ack, Delivery, Message, Ping, Status, encode

# Around each payload: Ethernet 38, IPv4 20, TCP with timestamps 32, WebSocket or RESP 8.
_PACKET_BYTES = 98


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes on a gateway's network, packets included.

    Args:
        message_in: at the sender's gateway: its frame, the ack, the envelope to the broker.
        message_out: at the recipient's: the envelope from the broker, the frame.
        ping: both ways.
    """

    message_in: int
    message_out: int
    ping: int

    @classmethod
    def of(cls, content_bytes: int) -> Self:
        """Measure the very frames and envelopes that gateways write, with contents that long."""
        content, user, message_id = "x" * content_bytes, "user-1234567", "m" * 16
        out = encode(Delivery(user, content, message_id))
        carried = Carried(user, user, "gateway-123", msgspec.Raw(out), id=message_id)
        envelope = len(encode_envelope(carried)) + _PACKET_BYTES
        frame = len(encode(Message(user, content, message_id))) + _PACKET_BYTES
        ack = len(encode(Ack(message_id, Status.ROUTED))) + _PACKET_BYTES
        return cls(
            message_in=frame + ack + envelope,
            message_out=envelope + len(out) + _PACKET_BYTES,
            ping=2 * (len(encode(Ping())) + _PACKET_BYTES),
        )
