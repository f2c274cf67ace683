"""How soon a death is seen, and how often a living client is closed by mistake. Pure, vectorised.

The link of each client is down now and then: `outages_per_h` times an hour, for `outage_s` seconds
on average, exponentially distributed. TCP repeats what was sent meanwhile, so a heartbeat is not
lost, it arrives when the link is up again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsgateway.config import Config
from wsgateway.heartbeat import detection_bounds_s

Seconds = NDArray[np.float64]
_CLIENTS = 10_000
_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Timing:
    """When a silent client is called dead.

    Args:
        name: whose choice it is.
        ping_s: a heartbeat is due this often, seconds.
        timeout_s: silence allowed; with `asks`, time to answer, seconds.
        sweep_s: how often the server looks, seconds; 0: it has a timer for each client.
        asks: the server pings and the client answers; else the client pings by itself.
    """

    name: str
    ping_s: float
    timeout_s: float
    sweep_s: float = 0.0
    asks: bool = False

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The soonest and the latest detection of a death, seconds."""
        if self.asks:
            return self.timeout_s, self.ping_s + self.timeout_s
        return detection_bounds_s(self.ping_s, self.timeout_s, self.sweep_s)


@dataclass(frozen=True, slots=True)
class Link:
    """A client's network.

    Args:
        outages_per_h: how often it is down.
        outage_s: for how long, on average, seconds.
        jitter_s: each heartbeat is late by up to so much, seconds.
    """

    outages_per_h: float = 1.0
    outage_s: float = 15.0
    jitter_s: float = 0.5


_OURS = Config(gateway_id="any")
OURS = Timing("wsgateway", _OURS.ping_s, _OURS.heartbeat_timeout_s, _OURS.sweep_s)
# Sources: Socket.IO https://socket.io/docs/v4/server-options/ (pingInterval, pingTimeout);
# Centrifugo https://centrifugal.dev/docs/server/configuration (ping_interval, pong_timeout);
# Phoenix https://hexdocs.pm/phoenix/Phoenix.Endpoint.html (timeout) and
# https://hexdocs.pm/phoenix/js/ (heartbeatIntervalMs).
CHOSEN = (
    Timing("Centrifugo", 25.0, 8.0, asks=True),
    Timing("Socket.IO", 25.0, 20.0, asks=True),
    Timing("Phoenix", 30.0, 60.0),
    OURS,
)
"""What real systems do unless told otherwise, the quickest first."""


def detections_s(timing: Timing, link: Link, *, clients: int = _CLIENTS, seed: int = 1) -> Seconds:
    """Return, sorted, how long after its death each client is found dead, seconds."""
    rng = np.random.default_rng(seed)
    since_s = rng.uniform(0, timing.ping_s, clients)  # its last heartbeat, when it dies
    if timing.asks:
        return np.sort(timing.ping_s - since_s + timing.timeout_s)
    late_s = rng.uniform(0, link.jitter_s, clients)
    looked_s = rng.uniform(0, timing.sweep_s, clients)
    return np.sort(timing.timeout_s - since_s + late_s + looked_s)


def false_closes_per_day(
    timing: Timing, link: Link, *, clients: int = _CLIENTS, seed: int = 1
) -> float:
    """Return how often a living client is closed by mistake, per client and day."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(clients * link.outages_per_h * _HOURS)
    down_s = rng.exponential(link.outage_s, count)
    since_s = rng.uniform(0, timing.ping_s, count)  # the last heartbeat, when the link goes down
    until_s = timing.ping_s - since_s  # the next one
    touched = down_s > until_s  # or the outage hides between two heartbeats
    if timing.asks:
        wrong = touched & (down_s - until_s > timing.timeout_s)
    else:
        jitter_s = rng.uniform(-link.jitter_s, link.jitter_s, count)
        looked_s = rng.uniform(0, timing.sweep_s, count)
        silent_s = since_s + down_s + jitter_s
        wrong = touched & (silent_s > timing.timeout_s + looked_s)
    return float(np.count_nonzero(wrong)) / clients * 24.0 / _HOURS


def frontier(
    link: Link, *, clients: int = _CLIENTS, seed: int = 1
) -> list[tuple[Timing, float, float]]:
    """Return a grid of timings like ours: each with its p99 of detection and its false closes."""
    found = []
    for ping_s in (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0):
        for pings in (2, 3, 4):
            timing = Timing(f"{pings} x {ping_s:g}", ping_s, pings * ping_s, 2 * ping_s)
            p99_s = float(np.quantile(detections_s(timing, link, clients=clients, seed=seed), 0.99))
            wrong = false_closes_per_day(timing, link, clients=clients, seed=seed)
            found.append((timing, p99_s, wrong))
    return found
