"""The brokers and the nodes of one target, as processes that are measured from outside."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from wsgateway.bench.shape import BenchError
from wsgateway.bench.target import Node, Target
from wsgateway.brokers import ApacheKafka, Child, RedisServer, TansuServer, free_port
from wsgateway.brokers.find import listens
from wsgateway.brokers.server import Server

_START_S = 60.0
_ATTEMPTS = 3
_POLL_S = 0.02
_TAIL_LINES = 5
_KAFKAS: dict[str, Callable[[], TansuServer | ApacheKafka]] = {
    "tansu": TansuServer,
    "apache": ApacheKafka,
}


class Cluster:
    """Private brokers and nodes; `async with`, and all are gone at the end.

    Args:
        target: what to start.
        nodes: how many.
        router: "kafka" starts a Kafka too.
        kafka: "tansu" or "apache".
    """

    def __init__(
        self, target: Target, *, nodes: int, router: str = "redis", kafka: str = "tansu"
    ) -> None:
        self.target = target
        self.nodes: list[Node] = []
        self.broker = ""
        self.kafka: TansuServer | ApacheKafka | None = None
        self.redis = RedisServer()
        if router == "kafka":
            self.kafka = _KAFKAS[kafka]()
        self._count = nodes
        self._children: list[Child] = []
        self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-bench-")

    async def __aenter__(self) -> Self:
        try:
            for server in self._brokers:
                await asyncio.to_thread(server.start)
            self.broker = ", ".join(server.name for server in self._brokers)
            for index in range(self._count):
                await self._start(index)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill everything."""
        for child in self._children:
            child.close()
        self._children.clear()
        for server in self._brokers:
            server.stop()
        with suppress(OSError):
            self._directory.cleanup()

    @property
    def urls(self) -> list[str]:
        """The WebSocket URLs of the nodes."""
        return [self.target.url(node) for node in self.nodes]

    @property
    def node_pids(self) -> list[int]:
        """The processes of the nodes."""
        return [child.pid for child in self._children]

    @property
    def broker_pids(self) -> list[int]:
        """The processes of the brokers."""
        return [server.pid for server in self._brokers]

    def check(self) -> None:
        """Raise if a node has ended.

        Raises:
            BenchError: the text holds the end of its log.
        """
        for node, child in zip(self.nodes, self._children, strict=True):
            if not child.running:
                raise BenchError(f"{self._name(node.index)} ended: {self._tail(node.index)}")

    @property
    def _brokers(self) -> list[Server]:
        return [self.redis, *([self.kafka] if self.kafka else [])]

    async def _start(self, index: int) -> None:
        for _ in range(_ATTEMPTS):
            kafka = None if self.kafka is None else self.kafka.address
            node = Node(index, free_port(), self.redis.url, kafka)
            child = await asyncio.to_thread(self._launch, node)
            if await self._accepts(node, child):
                self.nodes.append(node)
                self._children.append(child)
                return
            child.close()
        raise BenchError(f"{self._name(index)} does not start: {self._tail(index)}")

    def _launch(self, node: Node) -> Child:
        # Why: through a shell that puts its output into the log: in a pipe nobody reads, 64 KiB
        # of greetings would stop a server for good.
        # 原因：经由 shell 把标准输出并入日志：若留在没人读的管道里，打印满 64 KiB 服务器就卡死了。
        command = ["/bin/sh", "-c", 'exec "$@" >&2', "sh", *self.target.command(node)]
        if self.target.directory is not None:
            command[2] = 'cd "$0" && exec "$@" >&2'
            command[3] = str(self.target.directory)
        log = self._log(node.index)
        return Child(command, log=log, env=self.target.environment)

    async def _accepts(self, node: Node, child: Child) -> bool:
        try:
            async with asyncio.timeout(_START_S):
                while child.running:
                    if await listens(node.port):
                        return child.running
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            pass  # said by the caller
        except BaseException:
            child.close()
            raise
        return False

    def _name(self, index: int) -> str:
        return f"{self.target.name}: node {index + 1}"

    def _log(self, index: int) -> Path:
        return Path(self._directory.name) / f"node-{index}.log"

    def _tail(self, index: int) -> str:
        with suppress(OSError):
            said = self._log(index).read_text("utf-8", "replace").strip().splitlines()
            return "\n".join(said[-_TAIL_LINES:]) or "it said nothing"
        return "it said nothing"


def cpu_s(pids: list[int]) -> float:
    """Return the CPU time that processes and their children have used, seconds."""
    total = 0.0
    for process in _with_children(pids):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def rss_kib(pids: list[int]) -> list[int]:
    """Return the resident memory of each process with its children, KiB."""
    return [sum(_rss(process) for process in _with_children([pid])) // 1024 for pid in pids]


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _with_children(pids: list[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
    return found
