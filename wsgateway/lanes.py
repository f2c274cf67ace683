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
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from wsgateway.envelope import Carried, Fence, encode
from wsgateway.errors import Overloaded, WsGatewayError
from wsgateway.fences import Fences
from wsgateway.lane import Lane, Parcel, Step
from wsgateway.presence.base import Owner
from wsgateway.protocol import Hop, Status
from wsgateway.routers.base import Router

log = logging.getLogger(__name__)

Lookup = Callable[[str], "asyncio.Future[Owner | None]"]
MAX_LANES = 10_000
MAX_WAITING = 20_000

# Why: one hop follows a user who just moved, the second a user who moved again meanwhile; more
# would let two gateways that disagree pass a message back and forth.
# 原因：第一跳追上刚迁移的用户，第二跳追上途中又迁移一次的用户；再多，
# 两个看法不一致的网关就可能把一条消息来回踢。
MAX_HOPS = 2


class Lanes:
    """All lanes of one gateway.

    Args:
        gateway_id: this gateway.
        router: carries envelopes to other gateways.
        lookup: asks presence.
        deliver_local: hands a message to a local connection; False when the user has none here.
        stamp: makes a hop timestamp for traced messages.
        cache_s: seconds a route is trusted.
        fence_s: seconds to wait for a fence.
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
        fence_s: float,
    ) -> None:
        self._gateway_id = gateway_id
        self._router = router
        self._lookup = lookup
        self._deliver_local = deliver_local
        self._stamp = stamp
        self._cache_s = cache_s
        self._fences = Fences(gateway_id, router, fence_s, self._open)
        self._lanes: OrderedDict[tuple[str, str], Lane] = OrderedDict()
        self._loop = asyncio.get_running_loop()
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def holds(self, carried: Carried | Fence) -> bool:
        """Whether its stream has a lane: then even for a local user it must go through that."""
        return (carried.to, carried.stream) in self._lanes

    def send(self, parcel: Parcel) -> None:
        """Put `parcel` at the end of its recipient's lane.

        Raises:
            Overloaded: too many messages wait.
        """
        if self.waiting >= MAX_WAITING:
            raise Overloaded("too many messages wait")
        lane = self._lane(parcel.carried)
        lane.waiting.append(parcel)
        self.waiting += 1
        self._pump(lane)

    def come_back(self, parcel: Parcel) -> None:
        """Take what had left this gateway and was forwarded back to it."""
        # Why: it left this lane before everything that waits in it, so it goes first.
        # 原因：它比通道里等待的一切都更早离开，所以排在它们前面。
        carried = parcel.carried
        if isinstance(carried, Fence) and carried.origin == self._gateway_id:
            self._fences.answer(carried.token)
            return
        lane = self._lane(carried)
        parcel.older = True
        lane.older.append(parcel)
        self.waiting += 1
        self._pump(lane)

    def hand_back(self, parcel: Parcel) -> None:
        """Take what a local connection never wrote; call it for the newest such parcel first."""
        # Why: older still than what came back. It leaves in the next turn of the loop, when
        # those before it have been handed back too.
        # 原因：它比回流的还要早。等到下一轮事件循环再发，那时排在它前面的也都交还了。
        carried = parcel.carried
        if isinstance(carried, Fence) and carried.origin == self._gateway_id:
            self._loop.call_soon(self._fences.answer, carried.token)
            return
        lane = self._lane(carried)
        parcel.older = True
        lane.older.appendleft(parcel)
        self.waiting += 1
        self._loop.call_soon(self._pump, lane)

    def has_older(self, carried: Carried | Fence) -> bool:
        """Whether something older of its stream has yet to leave again."""
        lane = self._lanes.get((carried.to, carried.stream))
        return lane is not None and bool(lane.older)

    def moved(self, user: str) -> None:
        """Forget how fresh `user`'s route is: the next message asks presence."""
        # Why: only our own senders' lane. What passes through keeps to one way, or it would
        # overtake itself; the gateway it comes from sends a fence, and then the way is open.
        # 原因：只改本网关发件人的通道。过路的消息要始终走同一条路，否则会自己超自己的车；
        # 等它来源的网关发来栅栏，这条路才重新选。
        lane = self._lanes.get((user, self._gateway_id))
        if lane is not None:
            lane.fresh_until_s = 0.0
            lane.detour = True

    def fenced(self, token: int) -> None:
        """All that was sent along the old route has arrived somewhere."""
        self._fences.answer(token)

    def aclose(self) -> None:
        """Give up on all that waits: its fate is unknown."""
        self._fences.aclose()
        for lane in list(self._lanes.values()):
            lane.step = Step.CLOSED
            self._settle_returned(lane, Status.UNKNOWN)
            self._finish_waiting(lane, Status.UNKNOWN)
        self._lanes.clear()

    def _lane(self, carried: Carried | Fence) -> Lane:
        key = carried.to, carried.stream
        lane = self._lanes.get(key)
        if lane is None:
            self._evict()
            lane = self._lanes[key] = Lane(*key)
        self._lanes.move_to_end(key)
        return lane

    def _evict(self) -> None:
        if len(self._lanes) < MAX_LANES:
            return
        for key, lane in self._lanes.items():
            if lane.idle:
                del self._lanes[key]
                return

    def _pump(self, lane: Lane) -> None:
        """Let out what may leave now, in order."""
        while queue := lane.head():
            if lane.route is None or self._loop.time() >= lane.fresh_until_s:
                self._resolve(lane)
                continue
            parcel = queue.popleft()
            self.waiting -= 1
            if lane.route == self._gateway_id:
                self._leave_local(lane, parcel)
            else:
                self._leave(lane, parcel, lane.route)
        if lane.idle and lane.route in (None, self._gateway_id):
            self._drop(lane)  # nothing to remember: of local users the hub knows

    def _drop(self, lane: Lane) -> None:
        key = lane.user, lane.stream
        if self._lanes.get(key) is lane:
            del self._lanes[key]

    def _leave(self, lane: Lane, parcel: Parcel, route: str) -> None:
        carried = parcel.carried
        if parcel.arrived and carried.path[-1:] != [self._gateway_id]:
            if len(carried.path) >= MAX_HOPS:
                parcel.done(Status.OFFLINE)
                return
            carried.path.append(self._gateway_id)
        if isinstance(carried, Carried) and carried.trace is not None:
            carried.trace.append(self._stamp("resolved"))
        try:
            routing = self._router.route_to_gateway(route, encode(carried))
        except Overloaded:
            parcel.done(Status.UNKNOWN)
            return
        lane.in_flight += 1
        routing.add_done_callback(partial(self._routed, lane, parcel))

    def _routed(self, lane: Lane, parcel: Parcel, result: "asyncio.Future[Status]") -> None:
        lane.in_flight -= 1
        status = Status.UNKNOWN if result.cancelled() or result.exception() else result.result()
        # Why: nobody listens on that channel any more, but the user may be back elsewhere. Ask
        # presence once more; and let everything else in flight settle first, or a message
        # behind this one would overtake it.
        # 原因：那个频道已无人订阅，但用户可能已在别处重连，所以再查一次在线状态；
        # 并且先等其余在途消息都有结果，否则后面的消息会超车。
        if status is Status.OFFLINE and parcel.tries == 0 and lane.step is not Step.CLOSED:
            lane.returned.append(parcel)
        else:
            if status is not Status.OFFLINE:  # it overtook them: too late to send them again
                self._settle_returned(lane, Status.OFFLINE)
            parcel.done(status)
        if not lane.in_flight:
            self.waiting += len(lane.returned)
            while lane.returned:
                lane.put_back(lane.returned.pop())
        if isinstance(parcel.carried, Fence) and lane.idle:
            self._drop(lane)  # all that came from that gateway has passed: the way is open
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
        owner = result.result()
        if owner is None:
            # The old route stays known: when the user is back, a fence goes there first.
            lane.step = Step.OPEN
            self._finish_waiting(lane, Status.OFFLINE)
            self._pump(lane)
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

    def _settle_returned(self, lane: Lane, status: Status) -> None:
        returned, lane.returned = lane.returned, []
        for parcel in returned:
            parcel.done(status)

    def _finish_waiting(self, lane: Lane, status: Status) -> None:
        for queue in (lane.older, lane.waiting):
            while queue:
                parcel = queue.popleft()
                self.waiting -= 1
                parcel.done(status)
