"""A line to Redis that can fall silent without anybody being told: the way real networks fail."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Line:
    """Passes bytes on; once cut, the connections of that moment swallow all, and stay open.

    Args:
        address: URL of the Redis behind it.
    """

    def __init__(self, address: str) -> None:
        self._upstream = urlsplit(address)
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._passing.set()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)

    @property
    def url(self) -> str:
        """Where to connect."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Let all that is connected now fall silent; who connects anew gets through."""
        self._passing.clear()
        self._passing = asyncio.Event()
        self._passing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._upstream.hostname, self._upstream.port
        up_reader, up_writer = await asyncio.open_connection(host, port)
        passing = self._passing
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            pump = asyncio.create_task(_pump(source, sink, passing), name="a line")
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, passing: asyncio.Event
) -> None:
    try:
        with suppress(ConnectionError):  # one side is gone; closing the other tells it
            while data := await source.read(65_536):
                if passing.is_set():
                    sink.write(data)
                    await sink.drain()
    finally:
        sink.close()
