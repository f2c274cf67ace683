"""The way of a message through one gateway: in from a client, in from a router, out to a client."""

import logging
import time
from collections.abc import Callable
from functools import partial

import msgspec

from wsgateway import envelope as wire
from wsgateway import protocol
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.dedup import RecentIds
from wsgateway.envelope import Carried, Envelope, Fence, Fenced, Moved, Replaced, Undelivered
from wsgateway.errors import ErrorCode, Overloaded
from wsgateway.fate import Fate, Kept
from wsgateway.hub import Hub
from wsgateway.lane import Parcel
from wsgateway.lanes import Lanes
from wsgateway.local import LocalDelivery
from wsgateway.presence.base import Presence
from wsgateway.protocol import Ack, FrameError, Hop, Message, Status
from wsgateway.routers.base import Router
from wsgateway.stats import Stats

log = logging.getLogger(__name__)

_FAILURES = {
    Status.OFFLINE: (ErrorCode.OFFLINE, "the recipient is not connected anywhere"),
    Status.UNKNOWN: (ErrorCode.UNKNOWN, "nobody can tell whether it arrived"),
}


class Delivery:
    """Moves messages between local connections and the router.

    Args:
        config: settings.
        hub: local connections.
        router: carries envelopes.
        presence: says where users are.
        stats: counters to keep.
        on_replaced: told (user, connection id) when a user registered elsewhere.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub[Connection],
        router: Router,
        presence: Presence,
        stats: Stats,
        on_replaced: Callable[[str, str], None],
    ) -> None:
        self._gateway_id = config.gateway_id
        self._hub = hub
        self._router = router
        self._stats = stats
        self._on_replaced = on_replaced
        self._local = LocalDelivery(
            hub,
            RecentIds(config.dedup_ids, config.dedup_s),
            stats,
            self.stamp,
            lambda parcel: self.lanes.hand_back(parcel),
        )
        self.lanes = Lanes(
            config.gateway_id,
            router,
            presence.lookup,
            self._local.deliver,
            self.stamp,
            cache_s=config.route_cache_s,
        )

    def stamp(self, stage: str) -> Hop:
        """Return a hop timestamp of this gateway, now, by its own wall clock."""
        return Hop(self._gateway_id, stage, time.time_ns() // 1000)

    def send(self, connection: Connection, sender: str, frame: Message) -> None:
        """Start a client's message on its way; its fate goes back to `connection`.

        Raises:
            FrameError: refused, with the code for the client.
        """
        if frame.to == sender:
            raise FrameError(ErrorCode.TO_SELF, "a message to oneself goes nowhere", frame.id)
        body = protocol.encode(protocol.Delivery(sender, frame.content, frame.id))
        carried = Carried(frame.to, sender, self._gateway_id, msgspec.Raw(body), id=frame.id)
        if frame.trace:
            carried.trace = [self.stamp("received")]
        parcel = Parcel(carried, partial(self._settled, connection, frame.id))
        self._stats.messages_in += 1
        try:
            self._dispatch(parcel)
        except Overloaded as error:
            raise FrameError(ErrorCode.OVERLOADED, str(error), frame.id) from None

    def receive(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        """Take one envelope from the router, see `Deliver`; garbage is counted and dropped."""
        try:
            envelope = wire.decode(data)
            if isinstance(envelope, Carried):
                if envelope.trace is not None:
                    protocol.with_trace(bytes(envelope.frame), [])  # or it fails when written
                self._arrive(envelope, kept, addressee)
                return
            if isinstance(envelope, Fence):
                self._arrive(envelope, kept, addressee)
                return
            self._take(envelope)
        except (ValueError, RecursionError):  # not an envelope, or not a frame inside
            self._stats.bad_envelopes += 1
            log.warning("dropped %d bytes from the router: not an envelope", len(data))
            _settle(kept, Fate.MALFORMED)
        else:
            _settle(kept, Fate.DONE)

    def _take(self, envelope: Replaced | Moved | Fenced | Undelivered) -> None:
        if isinstance(envelope, Replaced):
            self._on_replaced(envelope.user, envelope.conn)
        elif isinstance(envelope, Moved):
            self.lanes.moved(envelope.user)
        elif isinstance(envelope, Fenced):
            self.lanes.fenced(envelope.token)
        else:
            self._report(envelope)

    def tell(self, gateway_id: str, envelope: Envelope, kept: Kept | None = None) -> None:
        """Send a control envelope. It may get lost: each only speeds up what heals by itself.

        Args:
            gateway_id: where to.
            envelope: what to say.
            kept: what it answers; that is settled once the answer is on its way.
        """
        try:
            self._router.route_to_gateway(
                gateway_id, wire.encode(envelope), wire.concerns(envelope), partial(_told, kept)
            )
        except Overloaded as error:
            log.warning("%s not sent: %s", type(envelope).__name__, error)
            _settle(kept, Fate.UNKNOWN)

    def refuse(self, connection: Connection, error: FrameError) -> None:
        """Send an error frame and count it."""
        self._stats.refused[error.code] += 1
        connection.send(protocol.encode(protocol.Error(error.code, error.message, error.reply_to)))

    def _dispatch(self, parcel: Parcel) -> None:
        # Why: a user with a lane was, or is, elsewhere, and messages may still be on that way.
        # Only the lane knows when a local message would overtake them.
        # 原因：有通道的用户曾经或仍在别处，路上可能还有消息；
        # 只有通道知道本地投递会不会超车。
        if self.lanes.holds(parcel.carried) or not self._local.deliver(parcel):
            self.lanes.send(parcel)

    def _arrive(self, carried: Carried | Fence, kept: Kept | None, addressee: str | None) -> None:
        """Give what came from another gateway to its user, or send it after them."""
        if isinstance(carried, Fence):
            done = partial(self._fence_settled, carried, kept)
        else:
            done = partial(self._arrival_settled, carried, kept)
            if carried.trace is not None:
                carried.trace.append(self.stamp("arrived"))
        parcel = Parcel(carried, done, arrived=True, kept=kept, addressee=addressee)
        here = self._gateway_id
        if carried.origin == here or carried.stream == here or here in carried.path:
            if self.lanes.has_older(carried) or not self._local.deliver(parcel):
                self.lanes.come_back(parcel)
            return
        try:
            self._dispatch(parcel)
        except Overloaded:
            parcel.done(Status.UNKNOWN)

    def _settled(self, connection: Connection, frame_id: str | None, status: Status) -> None:
        """The fate of a local client's message."""
        connection.settle()
        self._stats.by_status[status] += 1
        if frame_id is not None:
            connection.send(protocol.encode(Ack(frame_id, status)))
        elif status in _FAILURES:
            self.refuse(connection, FrameError(*_FAILURES[status]))

    def _arrival_settled(self, carried: Carried, kept: Kept | None, status: Status) -> None:
        """The fate of a message that came from another gateway."""
        if status in (Status.OFFLINE, Status.UNKNOWN):
            if _settle(kept, Fate.OFFLINE if status is Status.OFFLINE else Fate.UNKNOWN):
                return  # it comes again
        else:
            _settle(kept, Fate.DONE)
        self._stats.received += 1
        if status is Status.DELIVERED:
            return
        if status in (Status.ROUTED, Status.ACCEPTED):
            self._stats.forwarded += 1
            self.tell(carried.origin, Moved(carried.to))
            return
        self._stats.undelivered += 1
        report = Undelivered(carried.sender, carried.to, carried.id, status)
        if carried.origin == self._gateway_id:
            self._report(report)
        else:
            self.tell(carried.origin, report)

    def _fence_settled(self, fence: Fence, kept: Kept | None, status: Status) -> None:
        """A fence went on to another gateway, or it ends here and is answered."""
        if status in (Status.ROUTED, Status.ACCEPTED):
            _settle(kept, Fate.DONE)
            return
        # Why: what it follows may have gone back to its router. Then it must stay behind that.
        # 原因：它所跟随的消息可能已退回路由器，那它也要留在后面。
        if kept is not None and (status is Status.UNKNOWN or not kept.wanted()):
            kept.settle(Fate.UNKNOWN)
            return
        if fence.origin == self._gateway_id:
            self.lanes.fenced(fence.token)
            _settle(kept, Fate.DONE)
        else:
            self.tell(fence.origin, Fenced(fence.to, fence.token), kept)

    def _report(self, lost: Undelivered) -> None:
        connection = self._hub.connection_of(lost.sender)
        if connection is not None:
            code, message = _FAILURES.get(lost.status, _FAILURES[Status.UNKNOWN])
            self.refuse(connection, FrameError(code, message, lost.id))


def _settle(kept: Kept | None, fate: Fate) -> bool:
    """Tell a router that remembers; return whether it will offer the envelope again."""
    return kept is not None and kept.settle(fate)


def _told(kept: Kept | None, status: Status) -> None:
    _settle(kept, Fate.UNKNOWN if status is Status.UNKNOWN else Fate.DONE)
