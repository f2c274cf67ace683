"""The last step of a message: once into the outbox of its user's own connection."""

import asyncio
from collections.abc import Callable
from functools import partial

from wsgateway import protocol
from wsgateway.connection import Connection
from wsgateway.dedup import RecentIds
from wsgateway.envelope import Carried, Fence
from wsgateway.hub import Hub
from wsgateway.lane import Parcel
from wsgateway.protocol import Hop, Status
from wsgateway.stats import Stats


class LocalDelivery:
    """Puts messages into local outboxes, and hears what became of them.

    Args:
        hub: local connections.
        recent: ids that were delivered lately.
        counts: counters to keep.
        stamp: makes a hop timestamp for traced messages.
        hand_back: takes what a connection never wrote.
    """

    def __init__(
        self,
        hub: Hub[Connection],
        recent: RecentIds,
        counts: Stats,
        stamp: Callable[[str], Hop],
        hand_back: Callable[[Parcel], None],
    ) -> None:
        self._hub = hub
        self._recent = recent
        self._counts = counts
        self._stamp = stamp
        self._hand_back = hand_back
        self._now_s = asyncio.get_running_loop().time

    def deliver(self, parcel: Parcel) -> bool:
        """Queue what `parcel` carries; False when its user has no open connection here."""
        carried = parcel.carried
        connection = self._hub.connection_of(carried.to)
        if connection is None or not connection.open:
            return False
        # Why: an empty frame is a place in the outbox. A fence, or the answer to a repeat, is due
        # once all before it is written: a repeat may overtake its own first copy otherwise, and
        # its `delivered` would claim what has not happened yet.
        # 原因：空帧在发件箱里只占一个位置。栅栏和对重复消息的答复，要等前面的都写出去才算数；
        # 否则重复消息会跑到自己第一份的前面，`delivered` 就成了尚未发生的事。
        if isinstance(carried, Fence):
            return connection.send(b"", partial(self._passed, parcel))
        if carried.id is not None and not self._recent.add(
            (carried.sender, carried.to, carried.id), self._now_s()
        ):
            self._counts.duplicate += 1
            return connection.send(b"", partial(self._passed, parcel))
        frame = bytes(carried.frame)
        if carried.trace is not None:
            frame = protocol.with_trace(frame, [*carried.trace, self._stamp("outbox")])
        if connection.send(frame, partial(self._written, parcel)):
            return True
        self._forget(carried)
        return False

    def _written(self, parcel: Parcel, fate: Status) -> None:
        if fate is Status.DELIVERED:
            self._counts.messages_out += 1
        elif isinstance(parcel.carried, Carried):
            self._forget(parcel.carried)  # a retry must get through
        self._passed(parcel, fate)

    def _passed(self, parcel: Parcel, fate: Status) -> None:
        # Why: never written, so the user may be elsewhere by now. Cut in the middle of the write,
        # it may have arrived: only a router that promises "at least once" sends it again.
        # 原因：没写出去，用户这时可能已在别处。写到一半被切断的则可能已经到达：
        # 只有承诺“至少一次”的路由器才会重发。
        if fate is Status.OFFLINE or (fate is Status.UNKNOWN and parcel.kept):
            self._hand_back(parcel)
        else:
            parcel.done(fate)

    def _forget(self, carried: Carried) -> None:
        if carried.id is not None:
            self._recent.forget((carried.sender, carried.to, carried.id))
