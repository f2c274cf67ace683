"""`python -m wsgateway.brokers up|status|down` as its user types it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from wsgateway.brokers import RedisServer

Brokers = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    """Runs the command with a runtime directory of its own, and cleans up behind the test."""
    env = {**os.environ, "WSGATEWAY_RUNTIME_DIR": str(tmp_path / "run")}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "wsgateway.brokers", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    yield run
    run("down")


def address(done: "subprocess.CompletedProcess[str]") -> str:
    return next(word for word in done.stdout.replace(",", " ").split() if "redis://" in word)


def wait_until_gone(client: redis.Redis) -> None:
    with suppress(redis.RedisError):
        while client.ping():
            pass


def test_up_status_down(brokers: Brokers) -> None:
    up = brokers("up", "--port", "0")
    assert (up.returncode, up.stderr) == (0, "")
    with redis.Redis.from_url(address(up)) as client:
        assert client.ping()

    assert address(brokers("status")) == address(up)
    assert brokers("up").stdout.startswith("already up: ")

    down = brokers("down")
    assert (down.returncode, down.stdout.split(":")[0]) == (0, "stopped")
    with redis.Redis.from_url(address(up), retry=None) as client, pytest.raises(redis.RedisError):
        client.ping()
    assert brokers("status").returncode == 1


def test_nothing_runs(brokers: Brokers) -> None:
    assert brokers("status").returncode == 1
    assert brokers("down").stdout == "nothing to stop\n"


def test_a_killed_supervisor_takes_its_server_along_and_is_forgotten(
    brokers: Brokers, tmp_path: Path
) -> None:
    up = brokers("up", "--port", "0")
    state = json.loads((tmp_path / "run" / "brokers.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)

    with redis.Redis.from_url(address(up), retry=None) as client:
        wait_until_gone(client)
    assert brokers("status").returncode == 1
    assert brokers("down").stdout == "nothing to stop\n"
    assert brokers("up", "--port", "0").returncode == 0


def test_a_taken_port_is_one_line(brokers: Brokers, redis_server: RedisServer) -> None:
    up = brokers("up", "--port", str(redis_server.port))
    assert up.returncode == 1
    assert "taken" in up.stderr
    assert len(up.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [(), ("sideways",), ("up", "--port", "x")])
def test_wrong_usage_is_exit_2(brokers: Brokers, arguments: tuple[str, ...]) -> None:
    assert brokers(*arguments).returncode == 2
