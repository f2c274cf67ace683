"""Keeps one user registered at one gateway of a list, for as long as that makes sense."""

import asyncio
import random
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from wsgateway.client import frames, words
from wsgateway.client.errors import GatewayUnreachable, RegisterRefused
from wsgateway.client.events import (
    NO_CLOSE_FRAME,
    Connected,
    Disconnected,
    Event,
    Retrying,
    Unreachable,
)
from wsgateway.client.inbox import Inbox
from wsgateway.client.options import Options
from wsgateway.client.pending import Pending
from wsgateway.client.rotation import Rotation
from wsgateway.client.session import Session
from wsgateway.errors import CloseCode, ErrorCode, Replaced, WsGatewayError
from wsgateway.protocol import Registered

_MAX_INCOMING_BYTES = 1 << 20
_REGISTER_ELSEWHERE = (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED)


class _NotNow(WsGatewayError):
    """This gateway cannot register the user at the moment; another may."""


class Link:
    """The connection of one client: connect, register, serve; then again at the next gateway.

    Args:
        user: user id.
        rotation: where to connect next, and when.
        pending: what to write.
        inbox: stops reading when full.
        take: given each frame read, raw.
        emit: given each event.
        options: bounds and times.
        ping_s: ping interval, seconds; None takes what the gateway asks for.
        rng: source of randomness.
    """

    def __init__(
        self,
        user: str,
        rotation: Rotation,
        pending: Pending,
        inbox: Inbox,
        take: Callable[[bytes], None],
        emit: Callable[[Event], None],
        options: Options,
        *,
        ping_s: float | None,
        rng: random.Random,
    ) -> None:
        self.ready = asyncio.Event()
        self.registered: Registered | None = None
        self.failure = "no attempt was made"
        self._user = user
        self._rotation = rotation
        self._pending = pending
        self._inbox = inbox
        self._take = take
        self._emit = emit
        self._ping_s = ping_s
        self._options = options
        self._rng = rng
        self._session: Session | None = None
        self._no_gateway_at: set[str] = set()

    @property
    def connected(self) -> bool:
        """Whether the user is registered right now, as far as this side knows."""
        return self._session is not None

    def wake(self) -> None:
        """Something was added to `pending`."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """Stay registered; returns only by an exception.

        Raises:
            Replaced: the user registered elsewhere.
            RegisterRefused: a gateway refuses this user for good.
            GatewayUnreachable: there is no gateway at any address, and never was.
        """
        while True:
            hint_ms = await self._attempt(self._rotation.url)
            delay_s = self._rotation.advance(hint_ms)
            self._emit(Retrying(delay_s, self._rotation.url))
            await asyncio.sleep(delay_s)

    async def _attempt(self, url: str) -> int | None:
        """Connect and serve until the connection is lost; return the reconnect hint, if any."""
        try:
            ws, registered = await self._open(url)
        except (OSError, TimeoutError, WebSocketException, _NotNow) as error:
            self._failed(url, error)
            return None
        session = Session(
            ws,
            self._pending,
            self._inbox,
            self._take,
            ping_s=self._ping_s or registered.heartbeat_ms / 1000,
            rng=self._rng,
        )
        try:
            await self._serve(session, url, registered)
        finally:
            self._session = None
            self._pending.lost()
            await ws.close()
        reason = "it stopped answering pings" if session.silent else ws.close_reason or ""
        code = ws.close_code or NO_CLOSE_FRAME
        self._emit(Disconnected(code, reason))
        return self._judge(code, reason)

    async def _open(self, url: str) -> tuple[ClientConnection, Registered]:
        async with asyncio.timeout(self._options.open_timeout_s):
            ws = await connect(
                url,
                proxy=None,
                compression=None,
                ping_interval=None,
                open_timeout=None,
                close_timeout=1.0,
                max_size=_MAX_INCOMING_BYTES,
            )
            try:
                return ws, await self._register(ws)
            except BaseException:
                ws.transport.abort()
                raise

    async def _register(self, ws: ClientConnection) -> Registered:
        try:
            await ws.send(frames.register(self._user), text=True)
            answer = frames.decode(await ws.recv(decode=False))
        except ConnectionClosed:
            code, reason = ws.close_code or NO_CLOSE_FRAME, ws.close_reason or ""
            self._judge(code, reason)
            raise _NotNow(words.of_close(code, reason)) from None
        except ValueError as error:
            raise _NotNow(f"not a gateway: {error}") from None
        if isinstance(answer, frames.Refusal):
            if answer.code in _REGISTER_ELSEWHERE:
                raise _NotNow(f"{answer.code}: {answer.message}")
            raise RegisterRefused(answer.code, answer.message)
        if not isinstance(answer, Registered):
            raise _NotNow("not a gateway: it did not answer the registration")
        return answer

    def _failed(self, url: str, error: Exception) -> None:
        """Tell why an attempt failed.

        Raises:
            GatewayUnreachable: there is no gateway at any address.
        """
        reason = words.of_failure(error, self._options.open_timeout_s)
        self.failure = f"{url}: {reason}"
        self._emit(Unreachable(url, reason))
        # Why: a wrong path stays wrong, so waiting out the time to connect is of no use. But
        # behind an address that was right once, a load balancer may say 404 for a moment.
        # 原因：路径写错了再等也没用，不必耗尽连接时限。但曾经连通过的地址，
        # 可能只是负载均衡器一时回了 404。
        if isinstance(error, InvalidStatus) and _is_final(error.response.status_code):
            self._no_gateway_at.add(url)
        else:
            self._no_gateway_at.discard(url)
        if self.registered is None and self._no_gateway_at >= self._rotation.urls:
            raise GatewayUnreachable(f"no gateway at {self.failure}")

    async def _serve(self, session: Session, url: str, registered: Registered) -> None:
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        self._session = session
        self.registered = registered
        self.ready.set()
        self._emit(Connected(registered.gateway_id, url))
        await session.run()
        # Why: a gateway that accepts and at once drops its clients must not be asked again
        # without a pause; only a connection that lasted proves that all is well.
        # 原因：若网关接受连接后马上断开，就不能毫无间隔地反复去连；
        # 只有撑过一段时间的连接才说明一切正常。
        if loop.time() - since_s >= self._options.steady_s:
            self._rotation.held()

    def _judge(self, code: int, reason: str) -> int | None:
        """Say what the end of a connection means.

        Raises:
            Replaced: the user registered elsewhere.
        """
        if code == CloseCode.REPLACED:
            raise Replaced(f"{self._user} registered elsewhere")
        return frames.reconnect_hint_ms(reason) if code == CloseCode.RESTART else None


def _is_final(status: int) -> bool:
    """Whether an HTTP status blames the request: 4xx, but for "later" and "too many"."""
    return 400 <= status < 500 and status not in (408, 425, 429)
