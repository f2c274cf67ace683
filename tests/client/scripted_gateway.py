"""A gateway that misbehaves on command: each connection is answered by the test itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from wsgateway.client import Client, Event, Options

HEARTBEAT_MS = 30_000
QUICK = Options(connect_timeout_s=30.0, backoff_base_s=0.01, backoff_cap_s=0.05)


class Socket:
    """One accepted connection, as the test sees it."""

    def __init__(self, ws: ServerConnection) -> None:
        self.ws = ws
        self.done = asyncio.Event()

    async def frame(self) -> dict[str, Any]:
        """Return the next frame of the client."""
        return json.loads(await self.ws.recv())

    async def message(self) -> dict[str, Any]:
        """Return the next frame that is not a ping; answer the pings."""
        while (frame := await self.frame())["type"] == "ping":
            await self.say(type="pong")
        return frame

    async def say(self, **frame: Any) -> None:
        await self.ws.send(json.dumps(frame))

    async def ack(self, message_id: str, status: str) -> None:
        await self.say(type="ack", id=message_id, status=status)

    async def registered(
        self, gateway_id: str = "g1", heartbeat_ms: int = HEARTBEAT_MS, user: str | None = None
    ) -> Self:
        """Read the registration and answer it."""
        frame = await self.frame()
        assert frame["type"] == "register"
        assert user is None or frame["userId"] == user
        await self.say(
            type="register",
            userId=frame["userId"],
            connId=f"{gateway_id}-1",
            gatewayId=gateway_id,
            heartbeatMs=heartbeat_ms,
        )
        return self

    async def close(self, code: int, reason: str = "") -> None:
        await self.ws.close(code, reason)
        self.done.set()

    def cut(self) -> None:
        """Break the connection without a close frame."""
        self.ws.transport.abort()
        self.done.set()


class Scripted:
    """Accepts connections and hands them to the test, in order; or says `no`, an HTTP status."""

    def __init__(self, no: HTTPStatus | None = None) -> None:
        self.no = no
        self.refusals: asyncio.Queue[HTTPStatus] = asyncio.Queue()
        self._accepted: asyncio.Queue[Socket] = asyncio.Queue()
        self._sockets: list[Socket] = []
        self._server: Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._answer,
            compression=None,
            ping_interval=None,
            write_limit=0,  # what was said is in the kernel's hands
            close_timeout=0.2,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ws"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        for socket in self._sockets:
            socket.done.set()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def accept(self) -> Socket:
        """Return the next connection."""
        return await self._accepted.get()

    def _answer(self, ws: ServerConnection, _: Request) -> Response | None:
        if self.no is None:
            return None
        self.refusals.put_nowait(self.no)
        return ws.respond(self.no, "")

    async def _serve(self, ws: ServerConnection) -> None:
        socket = Socket(ws)
        self._sockets.append(socket)
        self._accepted.put_nowait(socket)
        await socket.done.wait()


@asynccontextmanager
async def joined(
    *gateways: Scripted,
    heartbeat_ms: int = HEARTBEAT_MS,
    events: list[Event] | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Client, Socket]]:
    """alice, registered at the first of `gateways`, and her socket as that gateway sees it."""
    client = Client(
        "alice",
        [gateway.url for gateway in gateways],
        on_event=None if events is None else events.append,
        options=replace(QUICK, **options),
    )
    starting = asyncio.create_task(client.start())
    socket = await gateways[0].accept()
    await socket.registered(heartbeat_ms=heartbeat_ms, user="alice")
    await starting
    try:
        yield client, socket
    finally:
        await client.aclose()
