"""A master, its replica, and a Sentinel that appoints the replica when the master is gone."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wsgateway.brokers.redis import RedisServer, server_binary
from wsgateway.brokers.redis_cluster import until
from wsgateway.errors import BrokerError

SERVICE = "main"
_DOWN_AFTER_MS = 500
_FAILOVER_TIMEOUT_MS = 2000


class _Sentinel(RedisServer):
    """The server program as a Sentinel of one master."""

    program = "Redis Sentinel"

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def _command(self, directory: Path, port: int) -> list[str]:
        settings = directory / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nlogfile {directory / 'server.log'}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} {_FAILOVER_TIMEOUT_MS}\n"
        )
        return [server_binary(), str(settings), "--sentinel"]


class RedisWithSentinel:
    """`with RedisWithSentinel() as redis:` and it serves."""

    def __init__(self) -> None:
        self.master = RedisServer()
        self.replica: RedisServer | None = None
        self.sentinel: RedisServer | None = None
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
        """Its URL: the Sentinel's address, and the name of the service."""
        if self.sentinel is None:
            raise BrokerError("the Redis Sentinel does not run")
        return f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{SERVICE}"

    def start(self) -> None:
        """Start all three; return when the Sentinel could appoint the replica.

        Raises:
            BrokerError: they do not start.
        """
        try:
            self._running.enter_context(self.master)
            options = {
                "replicaof": f"127.0.0.1 {self.master.port}",
                "repl-diskless-sync-delay": "0",
            }
            self.replica = self._running.enter_context(RedisServer(options=options))
            self.sentinel = self._running.enter_context(_Sentinel(self.master))
            until(self._ready, "the Sentinel does not know the replica")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of them. Safe to call twice."""
        self._running.close()

    def master_port(self) -> int:
        """Return the port of the master the Sentinel names."""
        if self.sentinel is None:
            raise BrokerError("the Redis Sentinel does not run")
        with self.sentinel.client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(port)

    def fail_over(self) -> None:
        """Have the replica appointed, as an operator would; return when it is master."""
        assert self.sentinel is not None
        before = self.master_port()
        with self.sentinel.client() as client:
            client.execute_command("SENTINEL", "FAILOVER", SERVICE)
        until(lambda: self.master_port() != before, "the Sentinel appoints nobody")

    def _ready(self) -> bool:
        assert self.replica is not None
        assert self.sentinel is not None
        with self.replica.client() as replica, self.sentinel.client() as sentinel:
            state = replica.execute_command("ROLE")[3]
            known = sentinel.execute_command("SENTINEL", "REPLICAS", SERVICE)
        links = [_fields(one)["master-link-status"] for one in known]
        return state == "connected" and "ok" in links


def _fields(reply: Any) -> dict[str, str]:
    """Return a reply of names and values as a dictionary; newer versions of redis-py do that."""
    if isinstance(reply, dict):
        return reply
    return dict(zip(reply[::2], reply[1::2], strict=True))
