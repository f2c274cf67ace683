"""The state of one lane: where a recipient is, and what waits to go there. No I/O."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from wsgateway.envelope import Carried, Fence
from wsgateway.fate import Kept
from wsgateway.protocol import Status

# Why: one hop follows a user who just moved, the second a user who moved again meanwhile; more
# would let two gateways that disagree pass a message back and forth.
# 原因：第一跳追上刚迁移的用户，第二跳追上途中又迁移一次的用户；再多，
# 两个看法不一致的网关就可能把一条消息来回踢。
MAX_HOPS = 2
# Why: a log keeps what stops here, but what is sent meanwhile would overtake it; so it stops only
# if something goes round in circles.
# 原因：停下的消息由日志保存，但这期间新发的会超到它前面；所以只有真的在兜圈子时才停。
MAX_HOPS_KEPT = 8


class Step(Enum):
    """What a lane waits for before it lets anything out."""

    OPEN = "nothing"
    RESOLVING = "presence"
    FENCING = "the old gateway"
    CLOSED = "for ever: the gateway stops"


@dataclass(slots=True, eq=False)
class Parcel:
    """A message or a fence in a lane.

    Args:
        carried: what travels.
        done: hears what became of it, exactly once.
        arrived: it came from another gateway, so sending it on is a hop.
        older: it had left this lane before and came back.
        kept: its router keeps it until it is settled, so it may be written again.
        addressee: the gateway it was sent to, if that is gone and this one reads on for it.
        tries: how often nobody was found where it went.
    """

    carried: Carried | Fence
    done: Callable[[Status], None]
    arrived: bool = False
    older: bool = False
    kept: Kept | None = None
    addressee: str | None = None
    tries: int = 0

    @property
    def recalled(self) -> bool:
        """Whether an earlier one has gone back to its router, so that this one must follow."""
        return self.kept is not None and not self.kept.wanted()

    def ends_at(self, gateway_id: str) -> bool:
        """Whether it is a fence that has come back to the gateway that sent it."""
        return isinstance(self.carried, Fence) and self.carried.origin == gateway_id

    def may_leave(self, gateway_id: str) -> bool:
        """Whether it may go on from `gateway_id`; if that is a hop, it is noted in the path."""
        path = self.carried.path
        if self.arrived and gateway_id not in path[-1:]:
            if len(path) >= (MAX_HOPS if self.kept is None else MAX_HOPS_KEPT):
                # Why: a log offers it again, after a pause; so it may follow its user for ever.
                # 原因：日志会隔一段时间再次给出它，所以它可以一直追着用户走。
                return self.kept is not None and self.kept.again()
            path.append(gateway_id)
        return True


@dataclass(slots=True, eq=False)
class Lane:
    """State of one stream: all for one user that entered the cluster at one gateway.

    Args:
        user: the recipient.
        stream: the gateway its messages come from; this one, for local senders.
        route: the gateway everything last went to; None before the first lookup.
        fresh_until_s: loop time until which `route` is trusted.
        detour: messages were forwarded beyond `route`.
        step: what it waits for.
        fence: the last one it sent: where to, and its token.
        older: parcels that had left and came back: they go before `waiting`.
        waiting: parcels that never left, in order.
        in_flight: parcels whose publish is not answered yet.
        returned: of those, the ones that found nobody there.
    """

    user: str
    stream: str
    route: str | None = None
    fresh_until_s: float = 0.0
    detour: bool = False
    step: Step = Step.OPEN
    fence: tuple[str, int] | None = None
    older: deque[Parcel] = field(default_factory=deque)
    waiting: deque[Parcel] = field(default_factory=deque)
    in_flight: int = 0
    returned: list[Parcel] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether nothing is in it, under way, or awaited."""
        return not (self.older or self.waiting or self.in_flight) and self.step is Step.OPEN

    def straight(self, parcel: Parcel, gateway_id: str, now_s: float) -> str | None:
        """Return the route of `parcel` if it may leave at once, with nothing before it."""
        if self.step is not Step.OPEN or self.older or self.waiting or self.returned:
            return None
        if now_s >= self.fresh_until_s or parcel.recalled or self.ends_here(parcel, gateway_id):
            return None
        return self.route

    def head(self) -> deque[Parcel] | None:
        """Return the queue whose first parcel may leave now, or None."""
        # Why: what is returned goes out again before anything else, so its last companion in
        # flight must be settled first.
        # 原因：被退回的要抢在其他消息之前重发，所以得先等与它同行的最后一条也有结果。
        if self.returned or self.step is not Step.OPEN:
            return None
        return self.older or self.waiting or None

    def remove(self, parcel: Parcel) -> bool:
        """Take `parcel` out, if it still waits here."""
        for queue in (self.older, self.waiting):
            if parcel in queue:
                queue.remove(parcel)
                return True
        return False

    def ends_here(self, parcel: Parcel, gateway_id: str) -> bool:
        """Whether `parcel` goes no further than `gateway_id`, where the lane is."""
        # Why: presence may still name the dead gateway whose mail we read. Written back there,
        # a message would be ours again at once, round and round.
        # 原因：在线状态可能仍指向由我们代读的已死网关；写回去，消息又会回到手里，没完没了。
        return self.route in (gateway_id, parcel.addressee)

    def distrust(self) -> None:
        """Ask presence again, and send a fence after what has gone the old way."""
        self.fresh_until_s = 0.0
        self.detour = True

    def take_back(self, parcel: Parcel, *, oldest: bool) -> None:
        """Queue what had left: before all that never did, and also before what came back."""
        # Why: back along the route it has just come from, it would be behind those that follow it.
        # 原因：若沿着刚折返的那条路再发出去，它就落到后面那些消息的后面了。
        if not self.older:
            self.distrust()
        parcel.older = True
        if oldest:
            self.older.appendleft(parcel)
        else:
            self.older.append(parcel)

    def put_back(self, parcel: Parcel) -> None:
        """Make `parcel` the first of its queue again; its route was wrong."""
        parcel.tries += 1
        self.fresh_until_s = 0.0
        (self.older if parcel.older else self.waiting).appendleft(parcel)

    def put_back_returned(self) -> int:
        """Put back what found nobody, in order; return how many."""
        count = len(self.returned)
        while self.returned:
            self.put_back(self.returned.pop())
        return count

    def settle_returned(self, status: Status) -> None:
        """Give up on what found nobody."""
        returned, self.returned = self.returned, []
        for parcel in returned:
            parcel.done(status)


# Why: while Redis stalls all lanes may be busy, and each new message would look at all of them.
# Two looks per new lane are enough to shrink a table that grew meanwhile.
# 原因：Redis 卡住时所有通道都可能在忙，每条新消息都会把它们看一遍。
# 每新建一条看两眼，就足以让这期间变大的表再缩回来。
_LOOKS = 2


class LaneTable:
    """All lanes by user and stream; beyond `max_lanes`, those idle for longest make room."""

    def __init__(self, max_lanes: int) -> None:
        self._max_lanes = max_lanes
        self._lanes: OrderedDict[tuple[str, str], Lane] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, user: str, stream: str) -> Lane | None:
        """Return the lane, if there is one."""
        return self._lanes.get((user, stream))

    def make(self, carried: Carried | Fence) -> Lane:
        """Return the lane `carried` belongs to, a new one if need be."""
        key = carried.to, carried.stream
        lane = self._lanes.get(key)
        if lane is not None:
            self._lanes.move_to_end(key)
            return lane
        self._make_room()
        lane = self._lanes[key] = Lane(*key)
        return lane

    def drop(self, lane: Lane) -> None:
        """Forget `lane`."""
        if self.get(lane.user, lane.stream) is lane:
            del self._lanes[lane.user, lane.stream]

    def _make_room(self) -> None:
        for _ in range(_LOOKS):
            if len(self._lanes) < self._max_lanes:
                return
            key, oldest = next(iter(self._lanes.items()))
            if oldest.idle:
                del self._lanes[key]
            else:
                self._lanes.move_to_end(key)  # it is in use

    def clear(self) -> list[Lane]:
        """Forget all lanes and return them."""
        lanes = list(self._lanes.values())
        self._lanes.clear()
        return lanes
