"""Sessions: the life of each connection, from its first frame to its cleanup."""

import asyncio
import logging
import secrets

from websockets.asyncio.server import ServerConnection

from wsgateway import heartbeat, protocol
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.delivery import Delivery
from wsgateway.envelope import Replaced
from wsgateway.errors import CloseCode, ErrorCode, WsGatewayError
from wsgateway.hub import Hub
from wsgateway.presence.base import Presence, Refresh
from wsgateway.protocol import FrameError, Message, Ping, Register
from wsgateway.routers.base import Router
from wsgateway.stats import Stats

log = logging.getLogger(__name__)

_ANNOUNCE_AT_ONCE = 500
_CLOSE_AT_ONCE = 50
_RECONNECT_SPREAD_MS = 5  # per connection: 200 clients are asked to come back within a second


class Sessions:
    """All connections of one gateway.

    Args:
        config: settings.
        hub: registered connections.
        presence: says who owns a user.
        router: carries envelopes.
        counts: counters to keep.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub[Connection],
        presence: Presence,
        router: Router,
        counts: Stats,
    ) -> None:
        self.connections: dict[str, Connection] = {}
        self.delivery = Delivery(config, hub, router, presence, counts, self.replaced)
        self._config = config
        self._hub = hub
        self._presence = presence
        self._counts = counts
        # Why: connection ids are never used twice, not even by this gateway's next life, or a
        # late cleanup could match a record that is not its own.
        # 原因：连接 id 永不重复，重启后也不会；否则迟到的清理可能误删不属于自己的记录。
        self._incarnation = secrets.token_hex(4)
        self._conn_count = 0

    async def serve(self, ws: ServerConnection) -> None:
        """The life of one connection."""
        config = self._config
        self._conn_count += 1
        connection = Connection(
            ws,
            f"{config.gateway_id}-{self._incarnation}-{self._conn_count}",
            outbox_bytes=config.outbox_bytes,
            window=config.window,
            close_timeout_s=config.close_timeout_s,
            stall_s=config.stall_s,
        )
        self.connections[connection.conn_id] = connection
        connection.deadline = asyncio.get_running_loop().call_later(
            config.register_timeout_s, connection.close, CloseCode.REGISTER_TIMEOUT
        )
        try:
            await connection.run(self._receive)
        except Exception:  # a bug: the client sees 1011, and our log (not websockets') tells
            log.exception("connection %s failed", connection.conn_id)
            raise
        finally:
            # No await between the end of `run` and here: a message that arrives next must miss.
            self._hub.unbind(connection)
            connection.deadline.cancel()
            self._counts.closed[connection.close_code] += 1
            if connection.user is not None:
                await self._unregister(connection.user, connection.conn_id)
            del self.connections[connection.conn_id]

    async def send_away(self) -> None:
        """Begin to close all connections, with 1012 and a hint when to come back."""
        # Why: a crowd sent away at once comes back at once, to the gateways that are left. So
        # closes are paced over a third of the deadline and each carries its own hint to wait.
        # 原因：一下子赶走的客户端会一下子涌向剩下的网关；所以关闭动作分摊到期限的三分之一，
        # 并且每个关闭帧都带上等待提示。
        everyone = list(self.connections.values())
        reason = f"reconnectMs={max(100, len(everyone) * _RECONNECT_SPREAD_MS)}"
        groups = range(0, len(everyone), _CLOSE_AT_ONCE)
        for start in groups:
            for connection in everyone[start : start + _CLOSE_AT_ONCE]:
                connection.close(CloseCode.RESTART, reason)
            await asyncio.sleep(min(0.05, self._config.drain_s / 3 / len(groups)))

    async def announce(self) -> None:
        """Write the presence of every local user again.

        Raises:
            WsGatewayError: Redis did not take them all; ask again.
        """
        users = list(self._hub)
        for start in range(0, len(users), _ANNOUNCE_AT_ONCE):
            refreshing = [
                self._refresh(connection, user)
                for user, connection in users[start : start + _ANNOUNCE_AT_ONCE]
                if self._hub.user_of(connection) == user  # or it would outlive its cleanup
            ]
            for one in refreshing:
                await one
        log.info("announced %d users again", len(users))

    async def sweep(self) -> None:
        """Close what has been silent for longer than the heartbeat timeout."""
        loop, config = asyncio.get_running_loop(), self._config
        while True:
            due_s = loop.time() + config.sweep_s
            await asyncio.sleep(config.sweep_s)
            now_s = loop.time()
            if heartbeat.sweep_is_late(due_s, now_s, config.ping_s):
                log.warning("this gateway slept: its clients get another sweep")
                continue
            for _, connection in self._hub:
                if heartbeat.is_silent(connection.last_seen_s, now_s, config.heartbeat_timeout_s):
                    connection.close(CloseCode.HEARTBEAT_TIMEOUT, flush=False)

    def replaced(self, user: str, conn_id: str) -> None:
        """Another session owns `user`: end ours, if it is still here."""
        connection = self.connections.get(conn_id)
        if connection is not None and connection.user == user:
            self._hub.unbind(connection)
            connection.close(CloseCode.REPLACED, flush=False)

    async def _receive(self, connection: Connection, text: str) -> None:
        """Answer one frame."""
        try:
            frame = protocol.parse_frame(text)
            user = self._hub.user_of(connection)
            if isinstance(frame, Register):
                await self._register(connection, frame)
            elif user is None:
                raise FrameError(ErrorCode.NOT_REGISTERED, "register first", frame.id)
            elif isinstance(frame, Ping):
                connection.send(protocol.PONG)
                self._keep_alive(connection, user)
            else:
                await self._message(connection, user, frame)
        except FrameError as error:
            self.delivery.refuse(connection, error)

    async def _register(self, connection: Connection, frame: Register) -> None:
        if self._hub.user_of(connection) is not None:
            raise FrameError(ErrorCode.ALREADY_REGISTERED, "one user per connection", frame.id)
        user, connection.user = frame.user_id, frame.user_id
        try:
            registration = await self._presence.register(
                user, self._config.gateway_id, connection.conn_id
            )
        except WsGatewayError as error:
            log.warning("a user could not be registered: %s", error)
            raise FrameError(ErrorCode.UNAVAILABLE, "try again in a moment", frame.id) from None
        # Why: no await from here to `bind`. A lookup queued behind this register resolves after
        # it, so whoever was told "bob is on this gateway" finds him in the hub.
        # 原因：从这里到 bind 之间没有 await。排在本次注册之后的查询也在它之后返回，
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
        self.delivery.lanes.moved(user)
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
            self.delivery.tell(old.gateway_id, Replaced(user, old.conn_id))

    async def _message(self, connection: Connection, user: str, frame: Message) -> None:
        await connection.window.acquire()
        try:
            self.delivery.send(connection, user, frame)
        except FrameError:
            connection.window.release()
            raise
        if heartbeat.refresh_due(
            connection.last_refresh_s, connection.last_seen_s, self._config.ping_s
        ):
            self._keep_alive(connection, user)

    def _refresh(self, connection: Connection, user: str) -> "asyncio.Future[Refresh]":
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
                self.replaced(user, connection.conn_id)

        refreshing.add_done_callback(refreshed)
        return refreshing

    def _keep_alive(self, connection: Connection, user: str) -> None:
        """Refresh presence if Redis can keep up; the next ping tries again."""
        try:
            self._refresh(connection, user)
        except WsGatewayError as error:
            log.warning("presence not refreshed: %s", error)

    async def _unregister(self, user: str, conn_id: str) -> None:
        try:
            await self._presence.unregister(user, conn_id)
        except WsGatewayError as error:
            log.warning("a user could not be unregistered, the record lapses: %s", error)
