"""A TCP proxy that can fall silent without closing anything: the way real networks fail."""

import asyncio
from typing import Self


class Proxy:
    """Passes bytes between 127.0.0.1:`port` and `upstream_port`, until told not to."""

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
        self._upstream_port = upstream_port
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
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
        return f"redis://127.0.0.1:{self.port}"

    def blackhole(self) -> None:
        """Swallow what comes from now on; connections stay open, new ones are accepted."""
        self._passing.clear()

    def heal(self) -> None:
        """Pass bytes again on new connections; those that lost some are closed."""
        for pump in self._pumps:
            pump.cancel()
        self._passing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if self._passing.is_set():
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass  # one side is gone; closing the other tells it
        finally:
            sink.close()
