"""Real deaths: clients in a process that is stopped, seen from a real gateway process."""

import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from wsgateway.brokers.child import Child
from wsgateway.config import Config
from wsgateway.heartbeat import detection_bounds_s
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.language import say
from wsgateway.lab.timing.sleeper import READY, name_of

_LOOK_S = 0.02
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Deaths:
    """What became of clients that all fell silent at the same instant.

    Args:
        users: how many.
        scale: what all heartbeat times were multiplied by.
        closed_s: when the gateway closed each connection, seconds after that instant, sorted.
        gone_s: when presence forgot each user, likewise.
    """

    users: int
    scale: float
    closed_s: list[float] = field(default_factory=list)
    gone_s: list[float] = field(default_factory=list)

    @property
    def config(self) -> Config:
        """The timing they lived and died by."""
        return Config(gateway_id="any").scaled(self.scale)

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The soonest and the latest a connection may be closed, seconds."""
        config = self.config
        soonest_s, latest_s = detection_bounds_s(
            config.ping_s, config.heartbeat_timeout_s, config.sweep_s
        )
        # Why: whoever is stopped answers no close frame, and the gateway waits for one.
        # 原因：被停住的客户端不会应答关闭帧，而网关要等它一会儿。
        return soonest_s, latest_s + config.close_timeout_s


def deaths(cluster: Cluster, on: str, *, scale: float, users: int = 20, seed: int = 7) -> Deaths:
    """Connect clients from one process, stop it, and watch until nobody thinks they are there.

    Args:
        cluster: with gateway processes, started with this time scale.
        on: the gateway.
        scale: the cluster's `time_scale`.
        users: how many clients.
        seed: of the moments at which they connect; printed, to replay a run.

    Raises:
        TimeoutError: they did not connect, or were never given up.
    """
    found = Deaths(users, scale)
    with tempfile.TemporaryDirectory() as directory:
        module = "wsgateway.lab.timing.sleeper"
        command = [sys.executable, "-m", module, cluster.url(on), str(users)]
        log = Path(directory) / "log"
        with Child([*command, str(found.config.ping_s), str(seed)], log=log) as sleepers:
            if sleepers.output.readline().decode().strip() != READY:
                raise TimeoutError(f"they did not connect: {log.read_text('utf-8')}")
            sleepers.send_signal(signal.SIGSTOP)
            _watch(found, cluster, on)
    say(f"{users} clients stopped, seed {seed}.", f"停住了 {users} 个客户端，种子 {seed}。")
    return found


def _watch(found: Deaths, cluster: Cluster, on: str) -> None:
    began_s = time.monotonic()
    present = {name_of(number) for number in range(found.users)}
    connected = found.users
    while present or connected:
        time.sleep(_LOOK_S)  # between two looks, not for anything to happen
        now_s = time.monotonic() - began_s
        if now_s > _PATIENCE_S:
            raise TimeoutError(f"{connected} connections are still open, {len(present)} present")
        still = cluster.stats(on)["users"]
        found.closed_s += [now_s] * (connected - still)
        connected = still
        gone = {user for user in present if not cluster.redis("EXISTS", f"presence:{user}")}
        found.gone_s += [now_s] * len(gone)
        present -= gone
