"""`python -m wsgateway.brokers up|status|down` as its user types it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from lifetimes import eventually, is_gone, owner, read_line

from wsgateway.brokers import RedisServer, TansuServer, identify_kafka
from wsgateway.errors import KafkaUnavailable

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


def pid_of_server(done: "subprocess.CompletedProcess[str]") -> int:
    with redis.Redis.from_url(address(done)) as client:
        info: Any = client.info("server")
    return int(info["process_id"])


def kafka_address(done: "subprocess.CompletedProcess[str]") -> str:
    return next(
        line.split()[-1] for line in done.stdout.splitlines() if "Tansu" in line or "Apache" in line
    )


def pid_of_tansu(done: "subprocess.CompletedProcess[str]") -> int:
    listener = f"--listener-url tcp://{kafka_address(done)}"
    shown = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
    )
    (line,) = (
        line for line in shown.stdout.splitlines() if listener in line and "watchdog" not in line
    )
    return int(line.split()[0])


def pid_of_supervisor(tmp_path: Path) -> int:
    return int(json.loads((tmp_path / "run" / "brokers.json").read_text())["pid"])


def test_up_status_down(brokers: Brokers) -> None:
    up = brokers("up", "--port", "0")
    assert (up.returncode, up.stderr) == (0, "")
    with redis.Redis.from_url(address(up)) as client:
        assert client.ping()

    assert address(brokers("status")) == address(up)
    assert brokers("up").stdout.startswith("already up: ")
    elsewhere = brokers("up", "--port", "1")
    assert (elsewhere.returncode, elsewhere.stdout) == (1, "")
    assert "`down` first" in elsewhere.stderr

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
    server_pid = pid_of_server(up)
    os.kill(pid_of_supervisor(tmp_path), signal.SIGKILL)

    assert eventually(lambda: is_gone(server_pid))
    assert brokers("status").returncode == 1
    assert brokers("down").stdout == "nothing to stop\n"
    assert brokers("up", "--port", "0").returncode == 0


def test_a_taken_port_is_one_line(brokers: Brokers, redis_server: RedisServer) -> None:
    up = brokers("up", "--port", str(redis_server.port))
    assert up.returncode == 1
    assert "taken" in up.stderr
    assert len(up.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", ["tansu", "apache"])
async def test_a_kafka_comes_and_goes_with_it(
    brokers: Brokers, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "apache":
        request.getfixturevalue("apache_installed")
    up = brokers("up", "--port", "0", "--kafka", kind, "--kafka-port", "0")
    assert (up.returncode, up.stderr, len(up.stdout.splitlines())) == (0, "", 2)
    kafka = kafka_address(up)
    name = await identify_kafka(kafka)
    assert kind in name.lower()

    status = brokers("status")
    assert (kafka_address(status), address(status)) == (kafka, address(up))
    assert brokers("up").stdout == up.stdout.replace("up: ", "already up: ")
    other = {"tansu": "apache", "apache": "tansu"}[kind]
    for wanted in (["--kafka", other], ["--kafka", kind, "--kafka-port", "9"]):
        elsewhere = brokers("up", *wanted)
        assert (elsewhere.returncode, elsewhere.stdout) == (1, "")
        assert f"already up: {name}" in elsewhere.stderr
        assert "`down` first" in elsewhere.stderr

    down = brokers("down")
    assert (down.returncode, len(down.stdout.splitlines())) == (0, 2)
    with pytest.raises(KafkaUnavailable, match="Connection refused"):
        await identify_kafka(kafka)


def test_tansu_is_the_kafka_to_begin_with(brokers: Brokers) -> None:
    assert "Tansu" in brokers("up", "--port", "0", "--kafka-port", "0", "--kafka").stdout


def test_a_kafka_is_not_added_to_what_runs(brokers: Brokers) -> None:
    brokers("up", "--port", "0")
    late = brokers("up", "--kafka")
    assert (late.returncode, late.stdout) == (1, "")
    assert late.stderr.endswith("not with Kafka: `down` first\n")


def test_a_taken_kafka_port_leaves_nothing_behind(
    brokers: Brokers, tansu_server: TansuServer
) -> None:
    up = brokers("up", "--port", "0", "--kafka", "--kafka-port", str(tansu_server.port))
    assert up.stderr == (
        f"wsgateway brokers: port {tansu_server.port} on 127.0.0.1 is taken by another program\n"
    )
    assert (up.returncode, brokers("status").returncode) == (1, 1)


@pytest.mark.parametrize("victim", ["kafka", "supervisor"])
async def test_when_one_dies_all_end(brokers: Brokers, victim: str, tmp_path: Path) -> None:
    up = brokers("up", "--port", "0", "--kafka", "--kafka-port", "0")
    redis_pid, kafka_pid = pid_of_server(up), pid_of_tansu(up)
    os.kill(kafka_pid if victim == "kafka" else pid_of_supervisor(tmp_path), signal.SIGKILL)
    assert eventually(lambda: is_gone(redis_pid) and is_gone(kafka_pid))
    assert eventually(lambda: brokers("status").stdout.startswith("down: "))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sideways",),
        ("up", "--port", "x"),
        ("up", "--kafka", "rabbit"),
        ("up", "--kafka-port", "0"),
    ],
)
def test_wrong_usage_is_exit_2(brokers: Brokers, arguments: tuple[str, ...]) -> None:
    wrong = brokers(*arguments)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert len(wrong.stderr.splitlines()) == 1


def test_down_returns_when_the_server_is_gone(brokers: Brokers) -> None:
    server = pid_of_server(brokers("up", "--port", "0"))
    assert brokers("down").returncode == 0
    assert is_gone(server)


def test_a_supervisor_whose_server_died_ends_and_up_works_again(brokers: Brokers) -> None:
    server = pid_of_server(brokers("up", "--port", "0"))
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: brokers("status").stdout.startswith("down: "))
    again = brokers("up", "--port", "0")
    assert again.stdout.startswith("up: ")


def test_a_pid_that_is_no_supervisor_of_ours_is_never_signalled(
    brokers: Brokers, tmp_path: Path
) -> None:
    with owner("import signal; print(flush=True); signal.pause()") as innocent:
        read_line(innocent)
        state = {"pid": innocent.pid, "url": "redis://127.0.0.1:1", "name": "Redis 0"}
        (tmp_path / "run").mkdir(mode=0o700)
        (tmp_path / "run" / "brokers.json").write_text(json.dumps(state))
        assert brokers("down").stdout == "nothing to stop\n"
        assert innocent.poll() is None
    assert (tmp_path / "run" / "brokers.json").read_text() == ""


def test_two_at_once_start_one(brokers: Brokers) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: brokers("up", "--port", "0"), range(2)))
    assert sorted(done.stdout.split(":")[0] for done in both) == ["already up", "up"]
    assert address(both[0]) == address(both[1])


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_out_of_range_is_one_line(brokers: Brokers, port: str) -> None:
    up = brokers("up", f"--port={port}")
    assert (up.returncode, len(up.stderr.splitlines())) == (1, 1)


def test_a_runtime_directory_open_to_others_is_refused(brokers: Brokers, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    status = brokers("status")
    assert status.returncode == 1
    assert status.stderr.endswith("others can write to it\n")
    assert len(status.stderr.splitlines()) == 1


def test_a_runtime_directory_that_cannot_be_made_is_one_line(
    brokers: Brokers, tmp_path: Path
) -> None:
    (tmp_path / "run").touch()
    status = brokers("status")
    assert status.returncode == 1
    assert len(status.stderr.splitlines()) == 1
