"""Fences: how a lane learns that all it sent along an old route has arrived somewhere."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial

from wsgateway.envelope import Carried, Fence, encode
from wsgateway.errors import Overloaded
from wsgateway.lane import Lane, Parcel
from wsgateway.protocol import Status
from wsgateway.routers.base import Router


class Fences:
    """The fences of one gateway that are not answered yet.

    Args:
        gateway_id: this gateway.
        router: carries them.
        answered: told the lane, once per fence: answered, too late, or nobody there to answer.
        take_out: settles what is not to wait for a fence in a lane, if it still waits there.
    """

    # Why: messages already sent to the old gateway are being forwarded from there, perhaps over
    # more than one gateway. A fence takes the same way behind them, so its answer comes after
    # the last of them has arrived, and order holds across the move.
    # 原因：已发往旧网关的消息正由它转发，可能还不止一跳。栅栏跟在它们后面走同一条路，
    # 所以它的回应一定在最后一条到达之后，用户迁移前后的消息仍然有序。

    def __init__(
        self,
        gateway_id: str,
        router: Router,
        answered: Callable[[Lane], None],
        take_out: Callable[[Lane, Parcel, Status], None],
    ) -> None:
        self._gateway_id = gateway_id
        self._router = router
        self._answered = answered
        self._take_out = take_out
        self._waiting: dict[int, tuple[Lane, asyncio.TimerHandle]] = {}
        # Why: a log may bring an answer that was meant for an earlier life of this gateway.
        # 原因：日志可能送来一个本该给本网关前世的应答。
        self._tokens = secrets.randbits(48)
        self._loop = asyncio.get_running_loop()

    def send(self, lane: Lane, gateway_id: str) -> None:
        """Send a fence along `lane`'s old route, to `gateway_id`."""
        self._tokens += 1
        token = self._tokens
        timer = self._loop.call_later(self._router.patience_s, self.answer, token)
        self._waiting[token] = lane, timer
        lane.fence = gateway_id, token
        for parcel in (*lane.older, *lane.waiting):
            self.hold(lane, parcel)
        fence = Fence(lane.user, self._gateway_id, lane.stream, token)
        try:
            self._router.route_to_gateway(
                gateway_id, encode(fence), lane.user, partial(self._sent, token)
            )
        except Overloaded:
            self.answer(token)

    def hold(self, lane: Lane, parcel: Parcel) -> None:
        """Take note that `parcel` waits in `lane` for a fence."""
        # Why: the fence may be behind this very message in the log that keeps both. Were a log to
        # hold it back until the message is settled, both would wait for ever.
        # 原因：栅栏可能就在保存着这条消息的日志里，排在它后面。
        # 若日志要等这条消息有了结果才放行，两边就会永远等下去。
        if parcel.recalled:
            self._take_out(lane, parcel, Status.UNKNOWN)
        elif _crosses(lane, parcel.carried):
            self._take_out(lane, parcel, Status.DELIVERED)
        elif parcel.kept is not None:
            parcel.kept.waits(partial(self._take_out, lane, parcel, Status.UNKNOWN))

    def answer(self, token: int) -> None:
        """Take the answer to a fence; a late or repeated one changes nothing."""
        lane, timer = self._waiting.pop(token, (None, None))
        if lane is not None and timer is not None:
            timer.cancel()
            self._answered(lane)

    def aclose(self) -> None:
        """Wait for none of them any more."""
        for _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _sent(self, token: int, status: Status) -> None:
        if status not in (Status.ROUTED, Status.ACCEPTED):
            self.answer(token)  # nobody there: nothing left to wait for


def _crosses(lane: Lane, carried: Carried | Fence) -> bool:
    """Whether this is a fence from the gateway that `lane`'s own went to, and goes first."""
    # Why: two gateways whose user moves to and fro may wait for each other's fence. One must give
    # way, and both know the same two tokens.
    # 原因：用户来回迁移时，两个网关可能互等对方的栅栏。总要有一方让路，而双方看到的是同样两个编号。
    if not isinstance(carried, Fence) or lane.fence is None:
        return False
    gateway_id, token = lane.fence
    return carried.origin == gateway_id and carried.token < token
