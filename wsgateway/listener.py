"""The gateway's port: accepts TCP connections, and knows every one that is left."""

import asyncio
from collections.abc import Callable

from websockets.http11 import Request, Response

from wsgateway.config import Config
from wsgateway.incoming import Peer
from wsgateway.turns import Turns
from wsgateway.websocket import WebSocket

# Why: asyncio lets 100 connections wait to be accepted; when a gateway dies, thousands of its
# clients come to the others within a second. The kernel caps it (net.core.somaxconn).
# 原因：asyncio 默认只让 100 个连接排队等待 accept；一个网关宕机，几千个客户端会在一秒内涌来。
# 实际上限由内核决定（net.core.somaxconn）。
_BACKLOG = 4096


class Listener:
    """Listens at `config.host` and `config.port`.

    Args:
        config: where, and the bounds on both handshakes.
        respond: the page for a plain HTTP request; None when it is for the WebSocket.
        opened: makes the peer of a new WebSocket.
    """

    def __init__(
        self,
        config: Config,
        respond: Callable[[Request], Response | None],
        opened: Callable[[WebSocket], Peer],
    ) -> None:
        self._config = config
        self._respond = respond
        self._opened = opened
        self._server: asyncio.Server | None = None
        self._sockets: set[WebSocket] = set()
        self._turns = Turns()
        self._gone: asyncio.Event = asyncio.Event()
        self.port = config.port

    async def bind(self) -> None:
        """Take the port; nobody is accepted before `start`.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, self._config.host, self.port, start_serving=False, backlog=_BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Accept connections."""
        assert self._server is not None
        await self._server.start_serving()

    def stop(self) -> None:
        """Accept no more; those that are there stay."""
        if self._server is not None:
            self._server.close()

    async def empty(self) -> None:
        """Wait until no connection is left."""
        while self._sockets:
            self._gone.clear()
            await self._gone.wait()

    def abort(self) -> None:
        """Drop all that are left."""
        for ws in list(self._sockets):
            ws.abort()

    def _accept(self) -> WebSocket:
        ws = WebSocket(
            self._respond,
            self._opened,
            self._closed,
            self._turns,
            handshake_timeout_s=self._config.register_timeout_s,
            close_timeout_s=self._config.close_timeout_s,
        )
        self._sockets.add(ws)
        return ws

    def _closed(self, ws: WebSocket) -> None:
        self._sockets.discard(ws)
        if not self._sockets:
            self._gone.set()
