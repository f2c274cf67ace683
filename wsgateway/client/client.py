"""A user that stays reachable: registers at one gateway of a list, and moves on when it dies."""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Self

from wsgateway.client import frames
from wsgateway.client.errors import ClientClosed, GatewayUnreachable, RegisterRefused, SendRefused
from wsgateway.client.events import Event, Message
from wsgateway.client.inbox import Inbox
from wsgateway.client.intake import Intake
from wsgateway.client.link import Link
from wsgateway.client.options import Options
from wsgateway.client.pending import Outcome, Pending
from wsgateway.client.rotation import Rotation
from wsgateway.errors import ErrorCode, WsGatewayError
from wsgateway.protocol import MAX_FRAME_BYTES, Status, is_id

_DEFAULTS = Options()


class Client:
    """One user's connection to a set of gateways, kept up until left or replaced.

    Entering it waits until the user is registered for the first time. Iterating it yields
    `Message`s; the iteration raises `Replaced` once the user registered elsewhere.

    Args:
        user: user id, `[A-Za-z0-9_-]{1,64}`.
        gateways: `ws://` addresses, tried in this order, round and round.
        ping_s: ping interval, seconds; None takes what the gateway asks for.
        rng: source of randomness; seed it to replay a run.
        on_event: called with each event, in the event loop; must not block. What it raises
            ends the client.
        options: bounds and times.

    Raises:
        RegisterRefused: the user id is not one.
        ConfigError: no gateway address, or a malformed one.
    """

    def __init__(
        self,
        user: str,
        gateways: Sequence[str] | str,
        *,
        ping_s: float | None = None,
        rng: random.Random | None = None,
        on_event: Callable[[Event], None] | None = None,
        options: Options = _DEFAULTS,
    ) -> None:
        if not is_id(user):
            raise RegisterRefused(ErrorCode.BAD_USER_ID, "a user id is 1 to 64 of A-Z a-z 0-9 _ -")
        self.user = user
        self._options = options
        emit = on_event or (lambda _: None)
        rng = rng or random.Random()
        rotation = Rotation([gateways] if isinstance(gateways, str) else gateways, options, rng)
        self._pending = Pending(options, rng, lambda: self._link.wake())
        self._inbox = Inbox(options.inbox, lambda: len(self._pending) > 0)
        self._intake = Intake(user, self._pending, self._inbox, emit)
        take = self._intake.take
        self._link = Link(
            user, rotation, self._pending, self._inbox, take, emit, options, ping_s=ping_s, rng=rng
        )
        self._window = asyncio.Semaphore(options.window)
        self._runner: asyncio.Task[None] | None = None
        self._ended: Exception | None = ClientClosed("the client is not running")
        # Short, and unique among all sessions of this user: random once, then counted.
        self._id_prefix = secrets.token_urlsafe(6)
        self._id_numbers = count(1)

    @property
    def connected(self) -> bool:
        """Whether the user is registered at a gateway right now, as far as this client knows."""
        return self._link.connected

    @property
    def gateway_id(self) -> str | None:
        """The gateway it is, or was last, registered at; None before the first."""
        registered = self._link.registered
        return registered.gateway_id if registered else None

    @property
    def conn_id(self) -> str | None:
        """The id of that connection."""
        registered = self._link.registered
        return registered.conn_id if registered else None

    @property
    def waiting(self) -> int:
        """Messages that have arrived and were not taken yet."""
        return len(self._inbox)

    @property
    def duplicates(self) -> int:
        """Messages that came again, with the same sender and id, and were suppressed."""
        return self._intake.duplicates

    def new_id(self) -> str:
        """Return a message id that this user has not used before."""
        return f"{self._id_prefix}-{next(self._id_numbers)}"

    async def start(self) -> None:
        """Connect; return once registered.

        Raises:
            GatewayUnreachable: no gateway registered the user within `connect_timeout_s`, or
                what answers is none (HTTP 404 and the like), at every address.
            RegisterRefused: a gateway refuses this user for good.
            Replaced: the user registered elsewhere meanwhile.
            ClientClosed: it was started before; a client lives once.
        """
        if self._runner is not None:
            raise ClientClosed("a client is started once")
        self._ended = None
        self._runner = asyncio.create_task(self._run(), name=f"client {self.user}")
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                await self._link.ready.wait()
        except TimeoutError:
            await self.aclose()
            raise GatewayUnreachable(
                f"no gateway answered within {self._options.connect_timeout_s} s; "
                f"last tried {self._link.failure}"
            ) from None
        except BaseException:
            await self.aclose()
            raise
        if self._ended is not None and not self._link.registered:
            await self.aclose()
            raise self._ended

    async def aclose(self) -> None:
        """Leave: close the socket. Sends still under way return `unknown`."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
            if not self._runner.cancelled():
                self._runner.result()  # raises what should never happen

    async def send(
        self,
        to: str,
        content: str,
        *,
        timeout_s: float = 10.0,
        trace: bool = False,
        id: str | None = None,
    ) -> Status:
        """Send a message; return what became of it.

        It is written again, with the same id, after a reconnect, after an `unknown` and when no
        answer comes, until the deadline. `routed` and `accepted` are not a delivery; should such
        a message fail later, a `LateFailure` event says so.

        Args:
            to: the recipient.
            content: the text, not empty; the whole frame at most 64 KiB.
            timeout_s: the deadline, seconds; then the status is `unknown`.
            trace: ask for hop timestamps.
            id: the message id, `[A-Za-z0-9_-]{1,64}`; None makes one.

        Raises:
            SendRefused: the message was refused; the code says why.
            Replaced: the user registered elsewhere.
            ClientClosed: the client is not running.
            ValueError: the id is under way already, or the text is not valid Unicode.
        """
        message_id = self.new_id() if id is None else id
        if not is_id(message_id):
            raise SendRefused(ErrorCode.BAD_ID, "an id is 1 to 64 of A-Z a-z 0-9 _ -")
        frame = frames.message(to, content, message_id, trace=trace)
        # Why: a gateway answers a frame over the limit by closing (1009). Written again after
        # each reconnect it would throw this client out for ever.
        # 原因：超限的帧会让网关直接断开（1009）；若每次重连后再写一遍，客户端就会反复掉线。
        if len(frame) > MAX_FRAME_BYTES:
            raise SendRefused("too_big", f"the frame is over {MAX_FRAME_BYTES} bytes")
        try:
            async with asyncio.timeout(timeout_s), self._window:
                outcome = await self._outcome(message_id, to, frame)
        except TimeoutError:
            return Status.UNKNOWN
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        return await self._inbox.get()

    async def _outcome(self, message_id: str, to: str, frame: bytes) -> Outcome:
        """Have a message written until it is settled."""
        if self._ended is not None:
            return self._ended
        if message_id in self._pending:
            raise ValueError(f"a message with the id {message_id} is under way")
        settled: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if not settled.done():  # its sender may just have been cancelled
                settled.set_result(outcome)

        self._pending.add(message_id, to, frame, settle)
        self._inbox.look_again()
        try:
            return await settled
        finally:
            self._pending.remove(message_id)

    async def _run(self) -> None:
        try:
            await self._link.run()
        except asyncio.CancelledError:
            self._end(None)
            raise
        except WsGatewayError as error:
            self._end(error)  # the application meets it in its next `send` or iteration
        except Exception as error:
            self._end(error)
            raise

    def _end(self, error: Exception | None) -> None:
        self._ended = error or ClientClosed("the client was closed")
        self._pending.end(error or Status.UNKNOWN)
        self._inbox.end(error)
        self._link.ready.set()
