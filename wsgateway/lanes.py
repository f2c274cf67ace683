"""One lane per recipient: a cached route, and the order of everything sent along it.

A lane asks presence once, remembers the answer, and keeps three promises:
- messages leave in the order they came, also when the route changes under way;
- a lane whose gateway is gone asks presence again before it says `offline`;
- when a user moves, the first message to the new gateway waits for a fence: an envelope that
  follows the earlier messages, gateway by gateway, and is answered where they end.
What is only passing through, forwarded for another gateway, has a lane of its own.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from wsgateway.envelope import Carried, Fence, encode
from wsgateway.errors import Overloaded, WsGatewayError
from wsgateway.fences import Fences
from wsgateway.lane import Lane, LaneTable, Parcel, Step
from wsgateway.presence.base import Owner
from wsgateway.protocol import Hop, Status
from wsgateway.routers.base import Router

log = logging.getLogger(__name__)

Lookup = Callable[[str], "asyncio.Future[Owner | None]"]
MAX_LANES, MAX_WAITING = 10_000, 20_000


class Lanes:
    """All lanes of one gateway.

    Args:
        gateway_id: this gateway.
        router: carries envelopes to other gateways.
        lookup: asks presence.
        deliver_local: hands a message to a local connection; False when the user has none here.
        stamp: makes a hop timestamp for traced messages.
        cache_s: seconds a route is trusted.
    """

    def __init__(
        self,
        gateway_id: str,
        router: Router,
        lookup: Lookup,
        deliver_local: Callable[[Parcel], bool],
        stamp: Callable[[str], Hop],
        *,
        cache_s: float,
    ) -> None:
        self._gateway_id, self._router = gateway_id, router
        self._lookup = lookup
        self._deliver_local = deliver_local
        self._stamp = stamp
        self._cache_s = cache_s
        self._fences = Fences(gateway_id, router, self._open, self._take_out)
        self._table = LaneTable(MAX_LANES)
        self._loop = asyncio.get_running_loop()
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._table)

    def holds(self, carried: Carried | Fence) -> bool:
        """Whether its stream has a lane: then even for a local user it must go through that."""
        return self._table.get(carried.to, carried.stream) is not None

    def send(self, parcel: Parcel) -> None:
        """Put `parcel` at the end of its recipient's lane.

        Raises:
            Overloaded: too many messages wait.
        """
        if self.waiting >= MAX_WAITING:
            raise Overloaded("too many messages wait")
        lane = self._table.make(parcel.carried)
        route = lane.straight(parcel, self._gateway_id, self._loop.time())
        if route is not None:
            self._leave(lane, parcel, route)
        else:
            lane.waiting.append(parcel)
            self._added(lane, parcel)
            self._pump(lane)

    def come_back(self, parcel: Parcel) -> None:
        """Take what had left this gateway and was forwarded back to it."""
        # Why: it left this lane before everything that waits in it, so it goes first.
        # 原因：它比通道里等待的一切都更早离开，所以排在它们前面。
        if parcel.ends_at(self._gateway_id):
            parcel.done(Status.DELIVERED)
        else:
            self._pump(self._take_back(parcel, oldest=False))

    def hand_back(self, parcel: Parcel) -> None:
        """Take what a local connection never wrote; call it for the newest such parcel first."""
        # Why: older still than what came back; it leaves next turn, when those before it are back.
        # 原因：它比回流的还要早。等到下一轮事件循环再发，那时排在它前面的也都交还了。
        if parcel.ends_at(self._gateway_id):
            self._loop.call_soon(parcel.done, Status.DELIVERED)
        else:
            self._loop.call_soon(self._pump, self._take_back(parcel, oldest=True))

    def has_older(self, carried: Carried | Fence) -> bool:
        """Whether something older of its stream has yet to leave again."""
        lane = self._table.get(carried.to, carried.stream)
        return lane is not None and bool(lane.older)

    def moved(self, user: str) -> None:
        """Forget how fresh `user`'s route is: the next message asks presence."""
        # Why: only our own senders' lane. What passes through keeps to one way, or it would
        # overtake itself; the gateway it comes from sends a fence, and then the way is open.
        # 原因：只改本网关发件人的通道。过路的消息要始终走同一条路，否则会自己超自己的车；
        # 等来源网关发来栅栏，才重新选路。
        lane = self._table.get(user, self._gateway_id)
        if lane is not None:
            lane.distrust()

    def fenced(self, token: int) -> None:
        """All that was sent along the old route has arrived somewhere."""
        self._fences.answer(token)

    def aclose(self) -> None:
        """Give up on all that waits: its fate is unknown."""
        self._fences.aclose()
        for lane in self._table.clear():
            lane.step = Step.CLOSED
            lane.settle_returned(Status.UNKNOWN)
            self._finish_waiting(lane, Status.UNKNOWN)

    def _take_back(self, parcel: Parcel, *, oldest: bool) -> Lane:
        lane = self._table.make(parcel.carried)
        lane.take_back(parcel, oldest=oldest)
        self._added(lane, parcel)
        return lane

    def _added(self, lane: Lane, parcel: Parcel) -> None:
        self.waiting += 1
        if lane.step is Step.FENCING:
            self._fences.hold(lane, parcel)

    def _take_out(self, lane: Lane, parcel: Parcel, status: Status) -> None:
        if lane.remove(parcel):
            self.waiting -= 1
            parcel.done(status)

    def _pump(self, lane: Lane) -> None:
        """Let out what may leave now, in order."""
        while queue := lane.head():
            if lane.route is None or self._loop.time() >= lane.fresh_until_s:
                self._resolve(lane)
                continue
            parcel = queue.popleft()
            self.waiting -= 1
            if parcel.recalled:
                parcel.done(Status.UNKNOWN)
            elif lane.ends_here(parcel, self._gateway_id):
                self._leave_local(lane, parcel)
            else:
                self._leave(lane, parcel, lane.route)
        if lane.idle and lane.route in (None, self._gateway_id):
            self._table.drop(lane)  # nothing to remember: of local users the hub knows

    def _leave(self, lane: Lane, parcel: Parcel, route: str) -> None:
        carried = parcel.carried
        if not parcel.may_leave(self._gateway_id):
            parcel.done(Status.OFFLINE if parcel.kept is None else Status.UNKNOWN)
            return
        if isinstance(carried, Carried) and carried.trace is not None:
            carried.trace.append(self._stamp("resolved"))
        done = partial(self._routed, lane, parcel)
        try:
            self._router.route_to_gateway(route, encode(carried), lane.user, done)
        except Overloaded:
            parcel.done(Status.UNKNOWN)
            return
        lane.in_flight += 1

    def _routed(self, lane: Lane, parcel: Parcel, status: Status) -> None:
        lane.in_flight -= 1
        # Why: nobody listens there any more, but the user may be back elsewhere. Ask presence once
        # more, when all else in flight is settled, or a message behind this one would overtake it.
        # 原因：那个频道已无人订阅，但用户可能已在别处重连，所以再查一次在线状态；
        # 并且先等其余在途消息都有结果，否则后面的消息会超车。
        if status is Status.OFFLINE and parcel.tries == 0 and lane.step is not Step.CLOSED:
            lane.returned.append(parcel)
        else:
            if status is not Status.OFFLINE:  # it overtook them: too late to send them again
                lane.settle_returned(Status.OFFLINE)
            parcel.done(status)
        if not lane.in_flight:
            self.waiting += lane.put_back_returned()
        if isinstance(parcel.carried, Fence) and lane.idle:
            self._table.drop(lane)  # all that came from that gateway has passed: the way is open
        if lane.older or lane.waiting or lane.idle:
            self._pump(lane)

    def _leave_local(self, lane: Lane, parcel: Parcel) -> None:
        if self._deliver_local(parcel):
            return
        if parcel.tries == 0:
            self.waiting += 1
            lane.put_back(parcel)
        else:
            lane.fresh_until_s = 0.0
            parcel.done(Status.OFFLINE)

    def _resolve(self, lane: Lane) -> None:
        lane.step = Step.RESOLVING
        try:
            looking = self._lookup(lane.user)
        except WsGatewayError as error:
            self._fail(lane, error)
            return
        looking.add_done_callback(partial(self._resolved, lane))

    def _resolved(self, lane: Lane, result: "asyncio.Future[Owner | None]") -> None:
        error = None if result.cancelled() else result.exception()
        if lane.step is Step.CLOSED:
            return
        if error is not None or result.cancelled():
            self._fail(lane, error)
            return
        if (owner := result.result()) is None:
            # The old route stays known: when the user is back, a fence goes there first.
            self._finish_waiting(lane, Status.OFFLINE)
            self._open(lane)
            return
        previous, lane.route = lane.route, owner.gateway_id
        lane.fresh_until_s = self._loop.time() + self._cache_s
        detour, lane.detour = lane.detour, False
        if previous is None or (previous == owner.gateway_id and not detour):
            self._open(lane)
        else:
            lane.step = Step.FENCING
            self._fences.send(lane, previous)

    def _open(self, lane: Lane) -> None:
        lane.step = Step.OPEN
        self._pump(lane)

    def _fail(self, lane: Lane, error: BaseException | None) -> None:
        log.debug("presence of one user is unknown: %s", error)
        lane.step = Step.OPEN
        self._finish_waiting(lane, Status.UNKNOWN)

    def _finish_waiting(self, lane: Lane, status: Status) -> None:
        while queue := lane.older or lane.waiting:
            self.waiting -= 1
            queue.popleft().done(status)
