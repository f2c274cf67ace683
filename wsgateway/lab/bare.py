"""A user without our client: what really comes over the socket."""

import json
import secrets
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop

_PATIENCE_S = 10.0


class Bare:
    """A user on a plain WebSocket; nobody here reconnects or remembers ids.

    Args:
        cluster: where to connect.
        name: user id.
        on: the gateway.
    """

    def __init__(self, cluster: Cluster, name: str, *, on: str) -> None:
        self._socket = shared_loop().run(_registered(cluster.url(on), name), _PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def frame(self, timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Wait for the next frame.

        Raises:
            TimeoutError: none came in time.
            websockets.ConnectionClosed: the gateway is gone, or sent this user away.
        """
        return shared_loop().run(_next(self._socket), timeout_s)

    def ping(self) -> dict[str, Any]:
        """Send a heartbeat, as our client does by itself, and wait for the answer."""
        return shared_loop().run(_asked(self._socket, {"type": "ping"}), _PATIENCE_S)

    def send(self, to: str, content: str) -> dict[str, Any]:
        """Send a message with an id, and wait for the next frame: its answer."""
        message = {"type": "message", "to": to, "content": content, "id": secrets.token_hex(4)}
        return shared_loop().run(_asked(self._socket, message), _PATIENCE_S)

    def close(self) -> None:
        """Leave. Closing twice is fine."""
        shared_loop().run(self._socket.close())


async def _registered(url: str, name: str) -> ClientConnection:
    socket = await connect(url, compression=None, proxy=None)
    try:
        await socket.send(json.dumps({"type": "register", "userId": name}))
        answer = await _next(socket)
        if answer["type"] != "register":
            raise ValueError(answer["message"])
    except BaseException:
        await socket.close()
        raise
    return socket


async def _asked(socket: ClientConnection, frame: dict[str, Any]) -> dict[str, Any]:
    await socket.send(json.dumps(frame))
    return await _next(socket)


async def _next(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await socket.recv())
    return frame
