"""A gateway as a process of its own, to be killed, paused and measured."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from wsgateway.brokers import Child
from wsgateway.errors import WsGatewayError

_START_TIMEOUT_S = 20.0


class GatewayProcess:
    """`python -m wsgateway` as a child process; it dies with this one.

    `async with GatewayProcess("g1", redis=url) as gateway:` and it is ready.

    Args:
        gateway_id: its id.
        redis: Redis URL.
        flags: more flags of `python -m wsgateway`.
    """

    def __init__(self, gateway_id: str, *, redis: str, flags: Sequence[str] = ()) -> None:
        self.gateway_id = gateway_id
        self.url = ""
        self._flags = ["--id", gateway_id, "--port", "0", "--redis", redis, *flags]
        self._child: Child | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def http_url(self) -> str:
        """The base of its HTTP pages."""
        return self.url.replace("ws://", "http://").removesuffix("/ws")

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text("utf-8", "replace")

    async def start(self) -> None:
        """Start it (again, after a kill); return when it accepts clients.

        Raises:
            WsGatewayError: it does not start; the text is its own last line.
        """
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-process-")
        command = [sys.executable, "-m", "wsgateway", *self._flags]
        self._child = await asyncio.to_thread(
            Child, command, log=self._log, scratch=self._log.parent
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                self.url = await asyncio.to_thread(_ready_url, self._child)
        except BaseException:
            self._child.close()  # ends the read in its thread too
            raise
        if not self.url:
            last = (self.log.strip().splitlines() or ["it ended at once"])[-1]
            raise WsGatewayError(f"gateway process {self.gateway_id}: {last}")

    async def aclose(self, drain_s: float = 15.0) -> None:
        """Ask it to drain (SIGTERM), and kill it if it has not ended in `drain_s` seconds."""
        if self._child is not None:
            self._child.send_signal(signal.SIGCONT)
            self._child.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(self._child.wait, drain_s)
            except TimeoutError:
                pass  # `close` kills it
            finally:
                self.close()
        self.close()

    def close(self) -> None:
        """Kill it if it still runs, and remove its files. Needs neither loop nor thread."""
        # Why: at interpreter exit no thread can start any more, so nobody can wait for a drain.
        # 原因：解释器退出时已不能再开线程，没人能等它排空。
        if self._child is not None:
            self._child.close()
            self._child = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def wait(self) -> int:
        """Wait until it has ended; return its exit status, 128 + number for a signal."""
        return await asyncio.to_thread(self._running().wait)

    def kill(self) -> None:
        """End it as a crash does (SIGKILL)."""
        self._running().send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to drain (SIGTERM)."""
        self._running().send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """Stop it without ending it (SIGSTOP): half-open for everyone else."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    @property
    def _log(self) -> Path:
        assert self._directory is not None
        return Path(self._directory.name) / "stderr.log"

    def _running(self) -> Child:
        if self._child is None:
            raise WsGatewayError(f"gateway process {self.gateway_id} does not run")
        return self._child


def _ready_url(child: Child) -> str:
    """Return the address in the banner's last line, or "" if the process ended before."""
    for line in child.output:
        if line.startswith(b"ready"):
            return line.split()[1].decode()
    return ""
