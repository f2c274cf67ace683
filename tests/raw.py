"""Raw WebSocket sessions with a gateway: no client library of ours between test and wire."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wsgateway.gateway import Gateway
from wsgateway.protocol import Status
from wsgateway.routers.base import Router

Frame = dict[str, Any]
PATIENCE_S = 30


async def say(ws: ClientConnection, **frame: Any) -> None:
    await ws.send(json.dumps(frame))


async def hear(ws: ClientConnection) -> Frame:
    async with asyncio.timeout(PATIENCE_S):
        frame: Frame = json.loads(await ws.recv())
    return frame


async def close_code(ws: ClientConnection) -> int | None:
    """Wait for the end of `ws`, whatever comes before it; return its close code."""
    async with asyncio.timeout(PATIENCE_S):
        with suppress(ConnectionClosed):
            while True:
                await ws.recv()
    return ws.close_code


@asynccontextmanager
async def opened(gateway: Gateway, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.url, compression=None, **options) as ws:
        yield ws


@asynccontextmanager
async def session(gateway: Gateway, user: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A registered socket."""
    async with opened(gateway, **options) as ws:
        await say(ws, type="register", userId=user)
        assert (await hear(ws))["type"] == "register"
        yield ws


async def serves(gateway: Gateway) -> bool:
    """Whether two fresh users can still talk through `gateway`."""
    async with session(gateway, "fresh-1") as one, session(gateway, "fresh-2") as two:
        await say(one, type="message", to="fresh-2", content="still there?", id="q")
        heard, ack = await hear(two), await hear(one)
        return bool(heard["content"] == "still there?" and ack["status"] == "delivered")


async def http_get(gateway: Gateway, path: str) -> tuple[int, str, str]:
    """Return status, content type and body of a page."""

    def get() -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(gateway.http_url + path, timeout=PATIENCE_S) as page:
                return page.status, page.headers["Content-Type"], page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    return await asyncio.to_thread(get)


def sending(router: Router, gateway_id: str, envelope: bytes, key: str) -> asyncio.Future[Status]:
    """Route an envelope; return what its sender will hear."""
    fate: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
    router.route_to_gateway(gateway_id, envelope, key, fate.set_result)
    return fate


async def until(condition: Any) -> None:
    """Wait until `condition()` is true: for what no event tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
