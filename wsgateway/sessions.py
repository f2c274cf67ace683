"""Sessions: the life of each connection, from its first frame to its cleanup."""

import asyncio
import logging
import secrets

from wsgateway import heartbeat, protocol
from wsgateway.config import Config
from wsgateway.connection import Connection, Socket
from wsgateway.delivery import Delivery
from wsgateway.errors import CloseCode, ErrorCode
from wsgateway.hub import Hub
from wsgateway.presence.base import Presence
from wsgateway.protocol import FrameError, Message, Ping, Register
from wsgateway.registrar import Registrar
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
        self._left = asyncio.Event()
        self.delivery = Delivery(config, hub, router, presence, counts, self._replaced)
        self._registrar = Registrar(config, hub, presence, self.delivery, self._replaced)
        self._config = config
        self._hub = hub
        self._counts = counts
        # Why: connection ids are never used twice, not even by this gateway's next life, or a
        # late cleanup could match a record that is not its own.
        # 原因：连接 id 永不重复，重启后也不会；否则迟到的清理可能误删不属于自己的记录。
        self._incarnation = secrets.token_hex(4)
        self._conn_count = 0

    def opened(self, ws: Socket) -> Connection:
        """Begin the life of one connection."""
        self._conn_count += 1
        conn_id = f"{self._config.gateway_id}-{self._incarnation}-{self._conn_count}"
        connection = Connection(ws, conn_id, self._config, self._receive, self._ended)
        self.connections[conn_id] = connection
        connection.deadline = asyncio.get_running_loop().call_later(
            self._config.register_timeout_s, connection.close, CloseCode.REGISTER_TIMEOUT
        )
        return connection

    async def empty(self) -> None:
        """Wait until all connections have ended and their users left presence."""
        while self.connections:
            self._left.clear()
            await self._left.wait()

    async def send_away(self) -> None:
        """Begin to close all connections, with 1012 and a hint when to come back."""
        # Why: a crowd sent away at once comes back at once, to the gateways that are left. So
        # closes are paced over a third of the deadline and all carry the same hint: spread out.
        # 原因：一下子赶走的客户端会一下子涌向剩下的网关；所以关闭动作分摊到期限的三分之一，
        # 并且都带上同一个提示：请错开着回来。
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
                self._registrar.refresh(connection, user)
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

    def _receive(self, connection: Connection, text: str) -> None:
        """Answer one frame."""
        try:
            frame = protocol.parse_frame(text)
            user = self._hub.user_of(connection)
            if isinstance(frame, Register):
                self._registrar.register(connection, frame)
            elif user is None:
                raise FrameError(ErrorCode.NOT_REGISTERED, "register first", frame.id)
            elif isinstance(frame, Ping):
                connection.send(protocol.PONG)
                self._registrar.keep_alive(connection, user)
            else:
                self._message(connection, user, frame)
        except FrameError as error:
            self.delivery.refuse(connection, error)

    def _message(self, connection: Connection, user: str, frame: Message) -> None:
        connection.take()
        try:
            self.delivery.send(connection, user, frame)
        except FrameError:
            connection.settle()
            raise
        if heartbeat.refresh_due(
            connection.last_refresh_s, connection.last_seen_s, self._config.ping_s
        ):
            self._registrar.keep_alive(connection, user)

    def _replaced(self, user: str, conn_id: str) -> None:
        """Another session owns `user`: end ours, if it is still here."""
        connection = self.connections.get(conn_id)
        if connection is not None and connection.user == user:
            self._hub.unbind(connection)
            connection.close(CloseCode.REPLACED, flush=False)

    def _ended(self, connection: Connection) -> None:
        """Clean up. A message that arrives next must miss, so nothing waits before `unbind`."""
        self._hub.unbind(connection)
        if connection.deadline is not None:
            connection.deadline.cancel()
            connection.deadline = None  # one that has fired still knows the connection
        self._counts.closed[connection.close_code] += 1
        self._registrar.leave(connection, self._forget)

    def _forget(self, connection: Connection) -> None:
        del self.connections[connection.conn_id]
        if not self.connections:
            self._left.set()
