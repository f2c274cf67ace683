"""Keeps presence and the hub in step with what connections come, live and go."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from wsgateway import protocol
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.delivery import Delivery
from wsgateway.envelope import Replaced
from wsgateway.errors import CloseCode, ErrorCode, WsGatewayError
from wsgateway.hub import Hub
from wsgateway.presence.base import Presence, Refresh, Registration
from wsgateway.protocol import FrameError, Register

log = logging.getLogger(__name__)


class Registrar:
    """Registers, refreshes and unregisters users.

    Args:
        config: settings.
        hub: registered connections.
        presence: says who owns a user.
        delivery: answers clients, and tells other gateways.
        on_replaced: told (user, connection id) when a user registered elsewhere.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub[Connection],
        presence: Presence,
        delivery: Delivery,
        on_replaced: Callable[[str, str], None],
    ) -> None:
        self._config = config
        self._hub = hub
        self._presence = presence
        self._delivery = delivery
        self._on_replaced = on_replaced
        self._due: dict[Connection, str] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def register(self, connection: Connection, frame: Register) -> None:
        """Make `connection` the one of `frame.user_id`, and answer it.

        Raises:
            FrameError: it has a user already.
        """
        if self._hub.user_of(connection) is not None:
            raise FrameError(ErrorCode.ALREADY_REGISTERED, "one user per connection", frame.id)
        connection.user = frame.user_id
        try:
            registering = self._presence.register(
                frame.user_id, self._config.gateway_id, connection.conn_id
            )
        except WsGatewayError as error:
            self._not_registered(connection, frame, error)
            return
        connection.wait()
        registering.add_done_callback(partial(self._registered, connection, frame))

    def _registered(
        self, connection: Connection, frame: Register, result: "asyncio.Future[Registration]"
    ) -> None:
        error = asyncio.CancelledError() if result.cancelled() else result.exception()
        if error is None:
            self._bind(connection, frame.user_id, result.result())
        else:
            self._not_registered(connection, frame, error)
        connection.go_on()

    def _not_registered(
        self, connection: Connection, frame: Register, error: BaseException
    ) -> None:
        log.warning("a user could not be registered: %s", error)
        refusal = FrameError(ErrorCode.UNAVAILABLE, "try again in a moment", frame.id)
        self._delivery.refuse(connection, refusal)

    def _bind(self, connection: Connection, user: str, registration: Registration) -> None:
        # Why: called in the very turn in which the answer is there. A lookup queued behind this
        # register is answered after it, so whoever was told "bob is on this gateway" finds him
        # in the hub.
        # 原因：答复到达的那一轮事件循环里就执行到这里。排在本次注册之后的查询也在它之后得到答复，
        # 所以凡是被告知“bob 在本网关”的，都能在连接表里找到他。
        connection.epoch = registration.epoch
        connection.last_refresh_s = connection.last_seen_s
        current = self._hub.connection_of(user)
        if current is not None and current.epoch > connection.epoch:
            connection.close(CloseCode.REPLACED)
            return
        if connection.deadline is not None:
            connection.deadline.cancel()
        displaced = self._hub.bind(user, connection)
        self._delivery.lanes.moved(user)
        connection.send(
            protocol.encode(
                protocol.Registered(
                    user,
                    connection.conn_id,
                    self._config.gateway_id,
                    round(self._config.ping_s * 1000),
                )
            )
        )
        old = registration.displaced
        if displaced is not None:
            displaced.close(CloseCode.REPLACED, flush=False)
        if old is not None and old.gateway_id != self._config.gateway_id:
            self._delivery.tell(old.gateway_id, Replaced(user, old.conn_id))

    def refresh(self, connection: Connection, user: str) -> "asyncio.Future[Refresh]":
        """Extend presence; at most one refresh of a connection is in flight.

        Raises:
            Overloaded: too many operations wait for Redis.
        """
        if connection.refreshing is not None:
            return connection.refreshing
        refreshing = self._presence.refresh(
            user, self._config.gateway_id, connection.conn_id, connection.epoch
        )
        connection.refreshing = refreshing
        connection.last_refresh_s = connection.last_seen_s

        def refreshed(result: "asyncio.Future[Refresh]") -> None:
            connection.refreshing = None
            if result.cancelled() or result.exception() is not None:
                log.debug("presence not refreshed; the next ping tries again")
            elif result.result() is Refresh.SUPERSEDED:
                self._on_replaced(user, connection.conn_id)

        refreshing.add_done_callback(refreshed)
        return refreshing

    def keep_alive(self, connection: Connection, user: str) -> None:
        """Refresh presence soon, together with others; never more than one timer."""
        # Why: nobody waits for a refresh, and a record outlives three pings, so this one command
        # may wait a thirtieth of one. 5,000 users who only ping cost a gateway 3.6 % of a core
        # when each refresh went out alone, for each woke the gateway once more for its answer.
        # 原因：没有人等刷新的结果，记录又能撑过三次 ping，所以唯独这条命令可以等三十分之一个周期。
        # 若每次刷新都单独发出，每个应答都会再唤醒网关一次：
        # 5,000 个只发 ping 的用户要占一个核的 3.6%。
        self._due[connection] = user
        if self._timer is None:
            self._timer = self._loop.call_later(self._config.ping_s / 30, self._refresh_due)

    def _refresh_due(self) -> None:
        self._timer = None
        due, self._due = self._due, {}
        try:
            for connection, user in due.items():
                if self._hub.user_of(connection) == user:  # or it would outlive its cleanup
                    self.refresh(connection, user)
        except WsGatewayError as error:  # the next ping tries again
            log.warning("presence not refreshed: %s", error)

    def leave(self, connection: Connection, left: Callable[[Connection], None]) -> None:
        """Take its user, if any, out of presence; then call `left`."""
        if connection.user is None:
            left(connection)
            return
        try:
            leaving = self._presence.unregister(connection.user, connection.conn_id)
        except WsGatewayError as error:
            log.warning("a user could not be unregistered, the record lapses: %s", error)
            left(connection)
            return
        leaving.add_done_callback(partial(_unregistered, connection, left))


def _unregistered(
    connection: Connection, left: Callable[[Connection], None], result: "asyncio.Future[bool]"
) -> None:
    if result.cancelled() or result.exception() is not None:
        log.warning("a user could not be unregistered, the record lapses")
    left(connection)
