"""A real Redis Cluster as child processes: every master's slots, replicas, and slots that move."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from wsgateway.brokers.redis import RedisServer
from wsgateway.brokers.server import free_port
from wsgateway.errors import BrokerError

_READY_TIMEOUT_S = 30.0
_POLL_S = 0.02
_NODE_TIMEOUT_MS = 1000


class ClusterNode(RedisServer):
    """One node; after a crash it comes back as the member it was, without its keys."""

    program = "Redis Cluster node"
    keeps_data = True

    def __init__(self) -> None:
        bus = {"cluster-port": str(free_port()), "cluster-announce-ip": "127.0.0.1"}
        times = {"cluster-node-timeout": str(_NODE_TIMEOUT_MS), "repl-diskless-sync-delay": "0"}
        super().__init__(options={"cluster-enabled": "yes", **bus, **times})
        self.bus_port = bus["cluster-port"]

    def ask(self, words: str, *arguments: str | int) -> Any:
        """Run one command on this node; return its reply as it came."""
        with self.client() as client:
            return client.execute_command(*words.split(), *arguments)

    @property
    def id(self) -> str:
        """Its name in the cluster."""
        return str(self.ask("CLUSTER MYID"))


class RedisCluster:
    """`with RedisCluster() as cluster:` and it serves.

    Args:
        masters: nodes that own slots, 3 or more.
        replicas: whether each of them has a replica.
    """

    def __init__(self, masters: int = 3, *, replicas: bool = False) -> None:
        self.masters = [ClusterNode() for _ in range(masters)]
        self.replicas = [ClusterNode() for _ in range(masters)] if replicas else []
        self._running = ExitStack()

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
        """Its URL, all masters named."""
        places = ",".join(f"127.0.0.1:{node.port}" for node in self.masters)
        return f"redis+cluster://{places}"

    @property
    def nodes(self) -> list[ClusterNode]:
        """All nodes."""
        return [*self.masters, *self.replicas]

    def start(self) -> None:
        """Start all nodes; return when each of them says that all is well.

        Raises:
            BrokerError: they do not, in time.
        """
        try:
            for node in self.nodes:
                self._running.enter_context(node)
            self._join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of them. Safe to call twice."""
        self._running.close()

    def owner(self, key: str) -> ClusterNode:
        """Return the node that owns `key`'s slot now, as the first node that runs sees it."""
        slot = key_slot(key.encode())
        asked = next(node for node in self.nodes if node.running)
        for first, last, (_, port, *_), *_ in asked.ask("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise BrokerError(f"nobody owns slot {slot}")

    def begin_move(self, key: str, to: ClusterNode) -> None:
        """Begin to move the slot of `key`: what is not there any more is asked for at `to`."""
        slot, source = key_slot(key.encode()), self.owner(key)
        to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)

    def end_move(self, key: str, to: ClusterNode) -> None:
        """Move the keys that are left in the slot of `key`, and make `to` its owner."""
        slot, source = key_slot(key.encode()), self.owner(key)
        while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        for node in (to, source, *(one for one in self.masters if one not in (to, source))):
            node.ask("CLUSTER SETSLOT", slot, "NODE", to.id)

    def move(self, key: str, to: ClusterNode) -> None:
        """Move the slot of `key`."""
        self.begin_move(key, to)
        self.end_move(key, to)

    def await_well(self) -> None:
        """Return when every node that runs says that all slots are served, and knows its master.

        Raises:
            BrokerError: not in time.
        """
        until(self._well, "the cluster is not well")

    def _join(self) -> None:
        count = len(self.masters)
        cuts = [REDIS_CLUSTER_HASH_SLOTS * n // count for n in range(count + 1)]
        for n, node in enumerate(self.masters):
            node.ask("CLUSTER ADDSLOTSRANGE", cuts[n], cuts[n + 1] - 1)
        first, *others = self.nodes
        for n, node in enumerate(self.nodes):
            node.ask("CLUSTER SET-CONFIG-EPOCH", n + 1)
        for node in others:
            first.ask("CLUSTER MEET", "127.0.0.1", node.port, node.bus_port)
        until(self._met, "the nodes do not find each other")
        for master, replica in zip(self.masters, self.replicas, strict=False):
            replica.ask("CLUSTER REPLICATE", master.id)
        self.await_well()

    def _met(self) -> bool:
        return all(f"cluster_known_nodes:{len(self.nodes)}" in one for one in self._infos())

    def _infos(self) -> list[str]:
        return [str(node.ask("CLUSTER INFO")) for node in self.nodes if node.running]

    def _well(self) -> bool:
        links = all(
            node.ask("INFO replication")["master_link_status"] == "up"
            for node in self.replicas
            if node.running and node.ask("ROLE")[0] == "slave"
        )
        return links and all("cluster_state:ok" in one for one in self._infos())


def until(condition: Callable[[], bool], trouble: str) -> None:
    """Return when `condition` holds; a server that does not answer yet does not hold.

    Raises:
        BrokerError: not in time; `trouble` says what does not.
    """
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with suppress(RedisError, OSError, KeyError):
            if condition():
                return
        time.sleep(_POLL_S)
    raise BrokerError(f"{trouble} in {_READY_TIMEOUT_S:g} s")
