"""The servers we are compared with: read from `benchmarks/peers/peers.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsgateway.bench.dialect import Dialect, JsonDialect
from wsgateway.bench.shape import BenchError
from wsgateway.bench.socketio import SocketIoDialect
from wsgateway.bench.target import Node, Target

FOLDER = Path("benchmarks/peers")
INSTALL = "make peers"
_DIALECTS: dict[str, Dialect] = {
    "json": JsonDialect(ids=False),
    "socketio": SocketIoDialect(),
    "socketio-without-acks": SocketIoDialect(acks=False),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to be compared with.

    Args:
        name: how the command line calls it.
        target: how to start it, and to talk to it.
        nodes: how many of it make sense; None for as many as of ours.
        installed: whether what it needs is there.
    """

    name: str
    target: Target
    nodes: int | None
    installed: bool


def peers(folder: Path = FOLDER) -> list[Peer]:
    """Return the peers, in the order of their file.

    Raises:
        BenchError: there is no such file, or it makes no sense.
    """
    file = folder / "peers.toml"
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        return [_peer(folder, name, table) for name, table in tables.items()]
    except OSError as error:
        raise BenchError(f"{file}: {error.strerror}; --peers names another folder") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BenchError(f"{file}: {error!r}") from None


def _peer(folder: Path, name: str, table: dict[str, Any]) -> Peer:
    argv: list[str] = table["command"]

    def command(node: Node) -> list[str]:
        return [word.format(port=node.port, redis=node.redis, index=node.index) for word in argv]

    target = Target(
        name=table["title"],
        command=command,
        dialect=_DIALECTS[table["dialect"]],
        path=table["path"],
        directory=folder.resolve(),
        environment=table.get("environment", {}),
    )
    return Peer(name, target, table.get("nodes"), (folder / table["needs"]).exists())
