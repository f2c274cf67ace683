"""A client that does not read, on a real socket, before a bounded outbox and one without bound."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.gateway import Gateway
from wsgateway.lab import servers
from wsgateway.lab.loop import shared_loop

MIB = 1 << 20
_PATIENCE_S = 30.0
_FRAME = json.dumps({"type": "message", "from": "alice", "content": "x" * 16_000}).encode()
_EVERY_S = 0.001
_ENOUGH = 8 * MIB  # to see that it goes on growing
_BUFFER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Fed:
    """An outbox over time.

    Args:
        at_s: when it was looked at, seconds since the first frame.
        outbox: bytes in it then.
        written: bytes handed to it in all.
        code: the close code the client saw; None if it was not closed.
    """

    at_s: list[float]
    outbox: list[int]
    written: int
    code: int | None


def feed(*, bound: int = MIB, reads: bool = False, total: int = 64 * MIB) -> Fed:
    """Write to one client of a gateway until it is closed, or 8 MiB wait, or `total` is written.

    Args:
        bound: of the outbox, bytes.
        reads: whether the client reads.
        total: bytes.
    """
    return shared_loop().run(_feed(bound, reads, total), _PATIENCE_S)


async def _feed(bound: int, reads: bool, total: int) -> Fed:
    redis = await servers.redis()
    prefix = f"slow-{secrets.token_hex(3)}:"
    config = Config(
        gateway_id="g1", port=0, redis=redis.address, key_prefix=prefix, outbox_bytes=bound
    )
    async with Gateway(config) as gateway, _bob(gateway.url) as bob:
        connection = gateway.hub.connection_of("bob")
        assert connection is not None
        if reads:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(_read(bob))
                fed = await _write(connection, total)
                reading.cancel()
            return fed
        fed = await _write(connection, total)
        if not connection.open:
            await _read(bob)  # at last: what the kernel holds, and then the close frame
        return Fed(fed.at_s, fed.outbox, fed.written, bob.close_code)


async def _write(connection: Connection, total: int) -> Fed:
    loop = asyncio.get_running_loop()
    began, written = loop.time(), 0
    at_s, outbox = [0.0], [0]
    while written < total and connection.send(_FRAME):
        written += len(_FRAME)
        at_s.append(loop.time() - began)
        outbox.append(connection.queued_bytes)
        if outbox[-1] >= _ENOUGH:
            break
        await asyncio.sleep(_EVERY_S)
    return Fed([*at_s, loop.time() - began], [*outbox, connection.queued_bytes], written, None)


@asynccontextmanager
async def _bob(url: str) -> AsyncIterator[ClientConnection]:
    # Why: the kernel holds some megabytes for a socket, and more for a larger window. A small
    # receive buffer shows the outbox sooner.
    # 原因：内核会替套接字存下几兆字节，窗口越大存得越多。接收缓冲区设小，发件箱才早些露面。
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    plain.setblocking(False)
    where = urlsplit(url)
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(plain, (where.hostname, where.port))
    except BaseException:
        plain.close()
        raise
    made = connect(url, sock=plain, compression=None, proxy=None, ping_interval=None, max_queue=1)
    async with made as ws:
        await ws.send('{"type":"register","userId":"bob"}')
        await ws.recv()
        try:
            yield ws
        finally:
            ws.transport.abort()  # it would not read the answer to its goodbye


async def _read(ws: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            await ws.recv()
