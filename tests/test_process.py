"""Gateway processes: they start, crash, pause, and never outlive who started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wsgateway.brokers import RedisServer
from wsgateway.client import Client
from wsgateway.errors import WsGatewayError
from wsgateway.process import GatewayProcess


def is_running(pid: int) -> bool:
    """Whether `pid` exists; its watchdog reaps it, so no zombie stays."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_starts_ready_and_drains(redis_server: RedisServer, key_prefix: str) -> None:
    flags = ("--key-prefix", key_prefix)
    async with GatewayProcess("g1", redis=redis_server.url, flags=flags) as gateway:
        async with Client("alice", gateway.url) as alice:
            assert alice.gateway_id == "g1"
        gateway.terminate()
        assert await gateway.wait() == 0


async def test_a_killed_one_starts_again_under_the_same_id(
    redis_server: RedisServer, key_prefix: str
) -> None:
    flags = ("--key-prefix", key_prefix, "--lease-ttl-s", "1")
    async with GatewayProcess("g1", redis=redis_server.url, flags=flags) as gateway:
        gateway.kill()
        assert await gateway.wait() == 128 + signal.SIGKILL
        await gateway.start()
        async with Client("alice", gateway.url) as alice:
            assert alice.connected


async def test_one_that_cannot_start_says_why_in_its_own_words() -> None:
    gateway = GatewayProcess("g1", redis="redis://127.0.0.1:1")
    with pytest.raises(WsGatewayError, match=r"g1: wsgateway: Redis at .* does not answer"):
        await gateway.start()
    await gateway.aclose()


def test_dies_with_its_owner_even_when_that_is_sigkilled(
    redis_server: RedisServer, key_prefix: str, tmp_path: Path
) -> None:
    owner_source = f"""
import asyncio, sys
from wsgateway.process import GatewayProcess
async def main():
    flags = ("--key-prefix", {key_prefix!r})
    async with GatewayProcess("g1", redis={redis_server.url!r}, flags=flags) as gateway:
        print(gateway.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", owner_source], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_running(pid)
        owner.kill()
    deadline_s = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_running(pid)
