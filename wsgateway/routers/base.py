"""The contract every router keeps; `tests/routers/test_contract.py` holds each one to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from wsgateway.fate import Kept
from wsgateway.protocol import Status

# Why: called, not awaited. A future per envelope, and a turn of the loop to tell its waiter, cost
# 4 us; the answer to a batch settles all its envelopes in one loop.
# 原因：直接回调而不是 await。每个信封一个 future，再等一轮事件循环去通知，要 4 微秒；
# 而一批的应答在一个循环里就能让其中所有信封得到结果。
Done = Callable[[Status], None]


class Deliver(Protocol):
    """Takes an envelope that arrived.

    Args:
        data: the envelope.
        kept: by routers that remember what they carry: told its fate, now or later.
        addressee: the gateway it was sent to, when that is not this one: it is gone, and this
            gateway reads on for it.
    """

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterHealth:
    """What a router says about itself.

    Args:
        ok: whether envelopes for this gateway arrive.
        why: the reason when they do not, one line.
        kind: the name of the router.
        counters: what happened since the start.
        gauges: what is so now; a dictionary holds one value per label. Seconds end in `_s`.
        waiting: envelopes not sent yet.
    """

    ok: bool
    why: str | None = None
    kind: str
    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, float | dict[str, float]] = field(default_factory=dict)
    waiting: int = 0


class Router(Protocol):
    """Carries encoded envelopes between gateways, in order per pair of gateways and key."""

    @property
    def patience_s(self) -> float:
        """Seconds an envelope to a gateway that died may be under way and still arrive.

        Whoever waits longer for what went there waits in vain.
        """

    async def start(self, deliver: Deliver) -> None:
        """Begin to hand arriving envelopes to `deliver`; return when subscribed or assigned.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        """Queue `envelope` at once, in call order.

        Args:
            gateway_id: where to.
            envelope: encoded.
            key: the user it concerns; order holds among envelopes of one key.
            done: hears what the broker knows, exactly once, in call order per key, and never
                before this returns; `unknown` when the router stops.

        Raises:
            Overloaded: too many envelopes wait already.
        """

    def broadcast_to_all_gateways(self, envelope: bytes, done: Done) -> None:
        """As `route_to_gateway`, to every gateway, this one included."""

    async def stop(self) -> None:
        """Stop receiving, fail what waits, close connections. Safe to call twice."""

    def health(self) -> RouterHealth:
        """Return the current health; no I/O."""
