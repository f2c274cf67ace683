"""`python -m wsgateway` as people run it: a banner, one clear line when it cannot, a clean end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from websockets.sync.client import connect

from wsgateway.brokers import RedisServer

PATIENCE_S = 30
READY = re.compile(r"ready  (ws://127\.0\.0\.1:(\d+)/ws)")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WSGATEWAY_")}
    return {**kept, **more}


def refused(*flags: str, status: int = 1) -> str:
    """Run it, expecting that it cannot; return what it says is wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "wsgateway", *flags],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("wsgateway: ")] == lines[-1:]
    return lines[-1].removeprefix("wsgateway: ")


class Running:
    """A gateway process that has shown its banner."""

    def __init__(self, process: subprocess.Popen[str], banner: list[str]) -> None:
        self.process = process
        self.banner = banner
        found = READY.fullmatch(banner[-1])
        assert found is not None, banner
        self.url, self.port = found[1], int(found[2])
        self.log = ""
        self._draining_stderr = threading.Thread(target=self._read)
        self._draining_stderr.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log = self.process.stderr.read()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        self._draining_stderr.join(PATIENCE_S)
        return status


@contextmanager
def running(*flags: str, **variables: str) -> Iterator[Running]:
    with subprocess.Popen(
        [sys.executable, "-m", "wsgateway", *flags],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            banner: list[str] = []
            for line in process.stdout:
                banner.append(line.rstrip("\n"))
                if banner[-1].startswith("ready"):
                    break
            else:
                pytest.fail(f"it ended: {process.stderr and process.stderr.read()}")
            yield Running(process, banner)
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture
def flags(redis_server: RedisServer, key_prefix: str) -> list[str]:
    return ["--id", "g1", "--port", "0", "--redis", redis_server.url, "--key-prefix", key_prefix]


def test_the_banner_tells_what_a_person_wants_to_know(
    flags: list[str], redis_server: RedisServer
) -> None:
    with running(*flags) as gateway:
        assert [line.split()[0] for line in gateway.banner] == [
            "id",
            "router",
            "redis",
            "health",
            "ready",
        ]
        assert gateway.banner[0].split() == ["id", "g1"]
        assert f"{redis_server.name} at {redis_server.url} (given)" in gateway.banner[2]
        assert gateway.port > 0
        with connect(gateway.url) as ws:
            ws.send('{"type":"register","userId":"alice"}')
            assert json.loads(ws.recv(PATIENCE_S))["gatewayId"] == "g1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_it_ends_with_0(flags: list[str], number: int) -> None:
    with running(*flags) as gateway, connect(gateway.url) as ws:
        ws.send('{"type":"register","userId":"alice"}')
        ws.recv(PATIENCE_S)
        assert gateway.end(number) == 0
        assert "Traceback" not in gateway.log


def test_settings_from_the_environment_json_logs_and_no_content_in_them(
    redis_server: RedisServer, key_prefix: str
) -> None:
    with running(
        WSGATEWAY_ID="from-env",
        WSGATEWAY_PORT="0",
        WSGATEWAY_REDIS=redis_server.url,
        WSGATEWAY_KEY_PREFIX=key_prefix,
        WSGATEWAY_LOG_LEVEL="debug",
        WSGATEWAY_LOG_FORMAT="json",
        WSGATEWAY_TIME_SCALE="0.01",
    ) as gateway:
        assert gateway.banner[0].split() == ["id", "from-env"]
        with connect(gateway.url) as alice, connect(gateway.url) as bob:
            for ws, user in ((alice, "alice"), (bob, "bob")):
                ws.send(json.dumps({"type": "register", "userId": user}))
                assert json.loads(ws.recv(PATIENCE_S))["heartbeatMs"] == 300
            for content in ("the-secret", "the-secret" + "x" * 70_000):
                frame = {"type": "message", "to": "bob", "content": content}
                alice.send(json.dumps(frame))
            assert json.loads(bob.recv(PATIENCE_S))["content"] == "the-secret"
            bob.send('{"type":"message","to":"alice","content":"the-secret')
            bob.send('{"type":"message","to":"al the-secret ice","content":"the-secret"}')
            assert json.loads(bob.recv(PATIENCE_S))["code"] == "not_json"
            assert json.loads(bob.recv(PATIENCE_S))["code"] == "bad_user_id"
        assert gateway.end(signal.SIGTERM) == 0
    records = [json.loads(line) for line in gateway.log.splitlines()]
    assert records
    assert all({"time", "level", "logger", "message"} <= set(one) for one in records)
    assert any("listens on" in one["message"] for one in records)
    assert "secret" not in gateway.log


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (["--colour", "blue"], "unrecognized arguments: --colour blue"),
        (["--port"], "--port"),
        (["--port", "http"], "port 'http': must be a whole number"),
        (["--port", "70000"], "port 70000: must be 0 to 65535"),
        (["--id", "g 1"], "gateway id 'g 1'"),
        (["--id", "g1\n"], r"gateway id 'g1\n'"),
        (["--router", "pigeon"], "router 'pigeon'"),
        (["--presence-ttl-s", "1"], "presence_ttl_s 1 is below two pings"),
    ],
)
def test_wrong_flags(wrong: list[str], text: str) -> None:
    assert text in refused(*wrong, status=2)


def test_a_taken_port(flags: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        why = refused(*flags, "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}" in why
    assert "in use" in why


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "192.0.2.1"])
def test_an_address_that_is_not_ours(flags: list[str], host: str) -> None:
    assert f"cannot listen on {host}:0" in refused(*flags, "--host", host)


def test_an_unreachable_redis() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    why = refused("--id", "g1", "--port", "0", "--redis", f"redis://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in why


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1", "redis://h:port", "rubbish"])
def test_what_is_not_a_redis_url(url: str) -> None:
    assert url in refused("--id", "g1", "--port", "0", "--redis", url)


def test_a_redis_that_needs_a_password() -> None:
    with RedisServer(password="sesame") as server:
        without = f"redis://127.0.0.1:{server.port}"
        assert "password" in refused("--id", "g1", "--port", "0", "--redis", without)
        wrong = f"redis://:open@127.0.0.1:{server.port}"
        why = refused("--id", "g1", "--port", "0", "--redis", wrong)
        assert "password" in why
        assert "open@" not in why
        with running("--id", "g1", "--port", "0", "--redis", server.url) as gateway:
            assert gateway.end(signal.SIGTERM) == 0
        assert "sesame" not in "".join(gateway.banner) + gateway.log


def test_a_live_duplicate_is_told_who_has_the_id(flags: list[str]) -> None:
    with running(*flags, "--lease-ttl-s", "2") as first:
        why = refused(*flags, "--lease-ttl-s", "2")
        assert "gateway id 'g1' is held by a live gateway" in why
        assert first.url in why
        assert str(first.process.pid) in why
        assert first.end(signal.SIGTERM) == 0
    with running(*flags) as successor:
        assert successor.banner[0].split() == ["id", "g1"]


def test_one_that_slept_and_lost_its_id_ends_and_says_so(flags: list[str]) -> None:
    lease = ("--lease-ttl-s", "0.5")
    with running(*flags, *lease) as sleeper:
        sleeper.process.send_signal(signal.SIGSTOP)
        with running(*flags, *lease) as awake:
            assert sleeper.end(signal.SIGCONT) == 1
            assert awake.process.poll() is None
    last = sleeper.log.splitlines()[-1]
    assert last.startswith("wsgateway: gateway id 'g1' was taken over by")
    assert awake.url in last
    assert "Traceback" not in sleeper.log


def test_a_signal_while_it_starts_ends_it_before_it_is_ready(
    redis_server: RedisServer, key_prefix: str
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:  # a holder that renews no more
        client.hset(f"{key_prefix}gateway-lease:g1", mapping={"token": "t", "holder": "crashed"})
        client.pexpire(f"{key_prefix}gateway-lease:g1", 100_000)
    command = [sys.executable, "-m", "wsgateway", "--id", "g1", "--port", "0"]
    command += ["--redis", redis_server.url, "--key-prefix", key_prefix, "--lease-ttl-s", "100"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as starting:
        assert starting.stderr is not None
        while "waiting" not in starting.stderr.readline():
            pass
        starting.terminate()
        printed, _ = starting.communicate(timeout=30)
    assert starting.returncode == 0
    assert "ready" not in printed
