"""Counters of one gateway. Plain integers: reading them costs nothing until someone asks."""

from collections import Counter
from dataclasses import dataclass, field

from wsgateway.protocol import Status


@dataclass(slots=True)
class Stats:
    """What happened since the gateway started.

    Args:
        messages_in: messages accepted from clients, before their fate was known.
        messages_out: messages written to clients' sockets.
        received: messages that arrived from other gateways and were settled here.
        forwarded: of those, passed on because the user had moved.
        duplicate: repeats of an id, suppressed.
        undelivered: messages from other gateways that ended nowhere.
        bad_envelopes: payloads from the router that are not envelopes.
        by_status: messages of local senders, by the status they ended with.
        refused: error frames sent, by code.
        closed: connections ended, by close code.
    """

    messages_in: int = 0
    messages_out: int = 0
    received: int = 0
    forwarded: int = 0
    duplicate: int = 0
    undelivered: int = 0
    bad_envelopes: int = 0
    by_status: Counter[Status] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    closed: Counter[int] = field(default_factory=Counter)

    def messages(self) -> dict[str, int]:
        """Return the message counts under their JSON names."""
        return {
            "in": self.messages_in,
            "out": self.messages_out,
            **{status.value: self.by_status[status] for status in Status},
            "received": self.received,
            "forwarded": self.forwarded,
            "duplicate": self.duplicate,
            "undelivered": self.undelivered,
            "badEnvelopes": self.bad_envelopes,
        }
