"""A group of clients, seen from the notebook: a load process that does one `Job`."""

import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Self

from wsgateway.brokers import Child
from wsgateway.errors import WsGatewayError
from wsgateway.lab.reconnect.crowd import Job, Told

_CROWD = Path(__file__).with_name("crowd.py")
_LONGEST_LINE = 1 << 26  # whoever does not wait at all tries many thousand times


class Group:
    """Starts the load process; `async with`, and everyone is registered. It is gone at the end.

    Args:
        job: the group.

    Raises:
        WsGatewayError: the process ended; the text is its own last line.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-reconnect-")
        self._child: Child | None = None
        self._pipe: asyncio.ReadTransport | None = None
        self._reader = asyncio.StreamReader(limit=_LONGEST_LINE)

    async def __aenter__(self) -> Self:
        given = Path(self._directory.name) / "job.json"
        given.write_text(json.dumps(asdict(self.job)), "utf-8")
        command = [sys.executable, "-P", str(_CROWD), str(given)]
        self._child = await asyncio.to_thread(Child, command, log=self._log)
        try:
            loop = asyncio.get_running_loop()
            protocol = asyncio.StreamReaderProtocol(self._reader)
            self._pipe, _ = await loop.connect_read_pipe(lambda: protocol, self._child.output)
            await self._line()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._close()

    async def told(self) -> Told:
        """Wait until everyone is back; return what they went through."""
        return Told(**json.loads(await self._line()))

    @property
    def _log(self) -> Path:
        return Path(self._directory.name) / "stderr.log"

    async def _line(self) -> bytes:
        line = await self._reader.readline()
        if not line:
            last = (self._log.read_text("utf-8", "replace").strip().splitlines() or ["?"])[-1]
            raise WsGatewayError(f"the clients of {self.job.group}: {last}")
        return line

    def _close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()  # before its file: the loop must not watch a number used anew
        if self._child is not None:
            self._child.close()
            self._child = None
        self._directory.cleanup()
