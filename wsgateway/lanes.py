"""One lane per recipient: a cached route, and the order of everything sent along it.

A lane asks presence once, remembers the answer, and keeps three promises:
- messages leave in the order they came, also when the route changes under way;
- a lane whose gateway is gone asks presence again before it says `offline`;
- when a user moves, the first message to the new gateway waits until the old one has forwarded
  what it still had (a fence), so that it cannot be overtaken.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from wsgateway.envelope import Fence, encode
from wsgateway.errors import Overloaded, WsGatewayError
from wsgateway.lane import Lane, Mark, Parcel
from wsgateway.presence.base import Owner
from wsgateway.protocol import Hop, Status
from wsgateway.routers.base import Router

log = logging.getLogger(__name__)

Lookup = Callable[[str], "asyncio.Future[Owner | None]"]
MAX_LANES = 10_000
MAX_WAITING = 20_000


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
        self._fence_s = fence_s
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._tokens = 0
        self._loop = asyncio.get_running_loop()
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def __contains__(self, user: str) -> bool:
        """Whether `user` has a lane: then even a local message must go through it."""
        return user in self._lanes

    def send(self, parcel: Parcel) -> None:
        """Put `parcel` at the end of its recipient's lane.

        Raises:
            Overloaded: too many messages wait.
        """
        if self.waiting >= MAX_WAITING:
            raise Overloaded("too many messages wait")
        lane = self._lane(parcel.carried.to)
        lane.waiting.append(parcel)
        self.waiting += 1
        self._pump(lane)

    def mark(self, user: str, reached: Callable[[], None]) -> None:
        """Call `reached` once everything now in `user`'s lane has left: the answer to a fence."""
        lane = self._lanes.get(user)
        if lane is None:
            reached()
            return
        lane.waiting.append(Mark(reached))
        self._pump(lane)

    def moved(self, user: str) -> None:
        """Forget how fresh `user`'s route is: the next message asks presence."""
        lane = self._lanes.get(user)
        if lane is not None:
            lane.fresh_until_s = 0.0

    def fenced(self, user: str, token: int) -> None:
        """The old gateway has passed on all it had."""
        lane = self._lanes.get(user)
        if lane is not None and lane.busy == "fencing" and lane.token == token:
            self._open(lane)

    def aclose(self) -> None:
        """Give up on all that waits: its fate is unknown."""
        for lane in list(self._lanes.values()):
            lane.busy = "closed"
            if lane.fence is not None:
                lane.fence.cancel()
            self._finish_waiting(lane, Status.UNKNOWN)
        self._lanes.clear()

    def _lane(self, user: str) -> Lane:
        lane = self._lanes.get(user)
        if lane is None:
            self._evict()
            lane = self._lanes[user] = Lane(user)
        self._lanes.move_to_end(user)
        return lane

    def _evict(self) -> None:
        if len(self._lanes) < MAX_LANES:
            return
        for user, lane in self._lanes.items():
            if lane.busy is None and not lane.waiting and not lane.in_flight:
                del self._lanes[user]
                return

    def _pump(self, lane: Lane) -> None:
        """Let out what may leave now, in order."""
        while lane.waiting and lane.busy is None:
            head = lane.waiting[0]
            if isinstance(head, Mark):
                if lane.in_flight:
                    return  # `_routed` pumps again
                lane.waiting.popleft()
                head.reached()
            elif lane.route is None or self._loop.time() >= lane.fresh_until_s:
                self._resolve(lane)
            elif lane.route == self._gateway_id:
                self._leave_local(lane, head)
            else:
                self._leave(lane, head, lane.route)

    def _leave(self, lane: Lane, parcel: Parcel, route: str) -> None:
        self._pop(lane)
        if parcel.carried.trace is not None:
            parcel.carried.trace.append(self._stamp("resolved"))
        try:
            routing = self._router.route_to_gateway(route, encode(parcel.carried))
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
        if status is Status.OFFLINE and parcel.tries == 0 and lane.busy != "closed":
            parcel.tries = 1
            lane.route = None
            lane.busy = "settling"
            lane.returned.append(parcel)
        else:
            parcel.done(status)
        if lane.busy == "settling" and not lane.in_flight:
            lane.waiting.extendleft(reversed(lane.returned))
            self.waiting += len(lane.returned)
            lane.returned.clear()
            lane.busy = None
        self._pump(lane)

    def _leave_local(self, lane: Lane, parcel: Parcel) -> None:
        self._pop(lane)
        if not self._deliver_local(parcel):
            lane.route = None
            parcel.done(Status.OFFLINE)
        if not lane.waiting and not lane.in_flight:
            self._lanes.pop(lane.user, None)  # local messages need no lane: the hub knows

    def _resolve(self, lane: Lane) -> None:
        lane.busy = "resolving"
        try:
            looking = self._lookup(lane.user)
        except WsGatewayError as error:
            self._fail(lane, error)
            return
        looking.add_done_callback(partial(self._resolved, lane))

    def _resolved(self, lane: Lane, result: "asyncio.Future[Owner | None]") -> None:
        if lane.busy == "closed":
            return
        error = None if result.cancelled() else result.exception()
        if error is not None or result.cancelled():
            self._fail(lane, error)
            return
        owner = result.result()
        previous, lane.route = lane.route, owner.gateway_id if owner else None
        lane.fresh_until_s = self._loop.time() + self._cache_s
        if owner is None:
            lane.busy = None
            self._finish_waiting(lane, Status.OFFLINE)
            self._lanes.pop(lane.user, None)
        elif previous in (None, self._gateway_id, owner.gateway_id):
            self._open(lane)
        else:
            self._raise_fence(lane, str(previous))

    def _raise_fence(self, lane: Lane, previous: str) -> None:
        # Why: messages already sent to the old gateway are being forwarded from there. Its
        # answer to the fence comes after the last of them, so order holds across the move.
        # 原因：已发往旧网关的消息正由它转发。它在转发完最后一条之后才回应栅栏，
        # 因此用户迁移前后的消息仍然有序。
        self._tokens += 1
        lane.busy, lane.token = "fencing", self._tokens
        lane.fence = self._loop.call_later(self._fence_s, self._open, lane)
        fence = encode(Fence(lane.user, self._gateway_id, lane.token))
        try:
            routing = self._router.route_to_gateway(previous, fence)
        except Overloaded:
            self._open(lane)
            return
        routing.add_done_callback(partial(self._fence_sent, lane, lane.token))

    def _fence_sent(self, lane: Lane, token: int, result: "asyncio.Future[Status]") -> None:
        reached = not result.cancelled() and not result.exception()
        if not reached or result.result() is not Status.ROUTED:
            self.fenced(lane.user, token)  # the old gateway is gone: nothing left to wait for

    def _open(self, lane: Lane) -> None:
        if lane.fence is not None:
            lane.fence.cancel()
            lane.fence = None
        lane.busy = None
        self._pump(lane)

    def _fail(self, lane: Lane, error: BaseException | None) -> None:
        log.debug("presence of one user is unknown: %s", error)
        lane.busy = None
        self._finish_waiting(lane, Status.UNKNOWN)

    def _finish_waiting(self, lane: Lane, status: Status) -> None:
        while lane.waiting:
            head = self._pop(lane)
            if isinstance(head, Mark):
                head.reached()
            else:
                head.done(status)

    def _pop(self, lane: Lane) -> Parcel | Mark:
        head = lane.waiting.popleft()
        if isinstance(head, Parcel):
            self.waiting -= 1
        return head
