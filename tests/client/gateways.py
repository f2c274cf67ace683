"""Real gateways for the client's tests: as processes, to be killed, paused and drained."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class GatewayProcess:
    """One `python -m wsgateway`, ready."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.url = url
        self._process = process

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def wait(self) -> int:
        return await self._process.wait()


@asynccontextmanager
async def gateway_process(
    gateway_id: str, redis_url: str, key_prefix: str
) -> AsyncIterator[GatewayProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wsgateway", "--log-level", "warning"),
        *("--id", gateway_id, "--port", "0", "--redis", redis_url),
        *("--key-prefix", key_prefix),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        while not (line := (await process.stdout.readline()).decode()).startswith("ready"):
            assert line, "the gateway ended before it was ready"
        yield GatewayProcess(process, line.split()[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
