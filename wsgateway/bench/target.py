"""What is measured: a command that starts one node of some server, and how to talk to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsgateway.bench.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Node:
    """One server process of a cluster.

    Args:
        index: 0, 1, ...
        port: where it must listen, on 127.0.0.1.
        redis: URL of the Redis all nodes share.
        kafka: HOST:PORT of the Kafka broker, if there is one.
    """

    index: int
    port: int
    redis: str
    kafka: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A server that can be measured.

    Args:
        name: how tables and plots call it.
        command: the argv that starts one node; ready once its port accepts connections.
        dialect: what its clients say.
        path: where its WebSocket is.
        directory: the working directory of its processes; ours when None.
        environment: added to the environment of its processes.
    """

    name: str
    command: Callable[[Node], list[str]]
    dialect: Dialect
    path: str = "/ws"
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def url(self, node: Node) -> str:
        """Return the WebSocket URL of `node`."""
        return f"ws://127.0.0.1:{node.port}{self.path}"
