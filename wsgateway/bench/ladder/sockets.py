"""How the sketch talks to its clients: the library's streams, or its sans-I/O core."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wsgateway.errors import WsGatewayError
from wsgateway.turns import Turns
from wsgateway.websocket import WebSocket

if TYPE_CHECKING:
    from wsgateway.bench.ladder.gateway import Gateway

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000  # frames for one client; who reads more slowly is dropped
_HANDSHAKE_S = 10.0

Accept = Callable[["Gateway", int], Awaitable[Any]]
"""Listens on a port for a gateway; returns the server."""


class Client(Protocol):
    """One connection, as the gateway sees it."""

    user: str

    def put(self, frame: bytes) -> None:
        """Queue a frame for this client."""


class Streamed:
    """A queue and a task that empties it, beside the task that reads."""

    def __init__(self, ws: ServerConnection) -> None:
        self.user = ""
        self._ws = ws
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)

    def put(self, frame: bytes) -> None:
        """See `Client.put`."""
        try:
            self._outbox.put_nowait(frame)
        except asyncio.QueueFull:
            self._ws.transport.abort()

    async def write(self) -> None:
        """Write what is queued, one frame at a time, until the connection ends."""
        try:
            while True:
                await self._ws.send(await self._outbox.get(), text=True)
        except ConnectionClosed:
            pass  # said by the task that reads


async def streams(gateway: "Gateway", port: int) -> Any:
    """Listen with the `websockets` API that everyone learns first."""

    async def talk(ws: ServerConnection) -> None:
        client = Streamed(ws)
        writing = asyncio.create_task(client.write())
        try:
            async for text in ws:
                await gateway.answer(client, str(text))
        except ConnectionClosed:
            pass  # a client may leave without a word
        finally:
            writing.cancel()
            await gateway.leave(client)

    return await serve(talk, "127.0.0.1", port)


class Direct:
    """No task and no queue: what a turn of the event loop has for this client is one write.

    Args:
        ws: the shipped gateway's own WebSocket: `websockets`' sans-I/O core.
        gateway: answers what it says.
    """

    def __init__(self, ws: WebSocket, gateway: "Gateway") -> None:
        self.user = ""
        self._ws = ws
        self._gateway = gateway
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._busy = False
        self._answering: asyncio.Task[None] | None = None

    def put(self, frame: bytes) -> None:
        """See `Client.put`."""
        self._frames.append(frame)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self.writable)
        elif len(self._frames) > _MOST_WAITING:
            self._ws.abort()

    def text(self, text: str) -> None:
        """See `websocket.Peer`: answer at once, or hear nothing more until it is answered."""
        if not self._gateway.answer_now(self, text):
            self._ws.pause()
            self._answering = self._loop.create_task(self._answer(text))

    def binary(self) -> None:
        """See `websocket.Peer`."""
        self._ws.abort()

    def writable(self) -> None:
        """See `websocket.Peer`: write all that has come up meanwhile."""
        frames, self._frames = self._frames, []
        self._busy = bool(frames) and self._ws.open and not self._ws.write(frames)

    def lost(self) -> None:
        """See `websocket.Peer`."""

    def ended(self) -> None:
        """See `websocket.Peer`."""
        self._answering = self._loop.create_task(self._gateway.leave(self))

    async def _answer(self, text: str) -> None:
        try:
            await self._gateway.answer(self, text)
        except WsGatewayError as error:
            log.warning("%s is dropped: %s", self.user, error)
            self._ws.abort()
        self._ws.resume()


async def direct(gateway: "Gateway", port: int) -> Any:
    """Listen with `websockets`' sans-I/O core under an asyncio protocol."""
    turns = Turns()

    def accept() -> WebSocket:
        return WebSocket(
            lambda request: None,
            lambda ws: Direct(ws, gateway),
            lambda ws: None,
            turns,
            handshake_timeout_s=_HANDSHAKE_S,
            close_timeout_s=_HANDSHAKE_S,
        )

    return await asyncio.get_running_loop().create_server(accept, "127.0.0.1", port)
