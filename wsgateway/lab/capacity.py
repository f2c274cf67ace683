"""What things cost: a linear model, fitted from measured runs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time between two moments, microseconds.

    Args:
        sender_us: of the gateway that was talked to.
        receivers_us: of the gateways behind it, all together.
        broker_us: of the Redis between them.
    """

    sender_us: float
    receivers_us: float
    broker_us: float


@dataclass(frozen=True, slots=True)
class Run:
    """Messages from one gateway to others, and what they cost.

    Args:
        messages: that crossed, every one of them acknowledged and received.
        batches: round trips from the sending gateway to the broker.
        publishes: that carried them.
        gateways: how many the recipients were spread over.
        spent: CPU time.
    """

    messages: int
    batches: int
    publishes: int
    gateways: int
    spent: Spent

    @property
    def batch(self) -> float:
        """Messages per batch."""
        return self.messages / self.batches

    @property
    def thinness(self) -> float:
        """Publishes per message: 1 when nothing is shared, near 0 when batches are full."""
        return self.publishes / self.messages


@dataclass(frozen=True, slots=True)
class Crowd:
    """Users who came to one gateway.

    Args:
        users: how many.
        came: CPU time of their coming: handshake and registration.
        memory_kib: by how much the gateway process grew.
        pings: heartbeats they sent.
        pinged: CPU time of those, and of refreshing presence.
    """

    users: int
    came: Spent
    memory_kib: float
    pings: int
    pinged: Spent


@dataclass(frozen=True, slots=True)
class Price:
    """CPU microseconds of one process: for each message, each batch and each publish."""

    message_us: float
    batch_us: float
    publish_us: float

    def of(self, *, batches: float = 1.0, publishes: float = 1.0) -> float:
        """Return the cost of one message that takes so many batches and publishes."""
        return self.message_us + self.batch_us * batches + self.publish_us * publishes


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The measured cost model. CPU microseconds, except where noted.

    Args:
        sender, receiver, broker: of a message, at the gateway it comes in, at the one it leaves
            from, and at the broker between them.
        ping_us, broker_ping_us: of one heartbeat, with its share of refreshing presence.
        connect_us, broker_connect_us: of one connection: handshake and registration.
        connection_kib: memory of one idle connection in its gateway.
    """

    sender: Price
    receiver: Price
    broker: Price
    ping_us: float
    broker_ping_us: float
    connect_us: float
    broker_connect_us: float
    connection_kib: float

    def message_us(self, *, batches: float = 1.0, publishes: float = 1.0) -> float:
        """Return what both gateways spend on one message."""
        loads = {"batches": batches, "publishes": publishes}
        return self.sender.of(**loads) + self.receiver.of(**loads)


def fit(runs: Sequence[Run], where: str, *, batches: bool = True) -> Price:
    """Return the price that explains the runs best, by least squares; no part below zero.

    Args:
        runs: of different shapes: alone and in bursts, to one gateway and to several.
        where: the field of `Spent` to explain.
        batches: whether this process sees batches at all; a receiver sees publishes only.

    Raises:
        ValueError: fewer runs than unknowns.
    """
    shares = np.array([[1.0, run.batches / run.messages, run.thinness] for run in runs])
    per_message = np.array([getattr(run.spent, where) / run.messages for run in runs])
    free = [0, 1, 2] if batches else [0, 2]
    if len(runs) < len(free):
        raise ValueError(f"{len(free)} unknowns want as many runs, {len(runs)} given")
    # Why: each run counts by its relative error; else the dearest ones would decide alone.
    # 原因：每次运行按相对误差计权，否则最贵的几次会独自决定结果。
    weights = 1.0 / np.maximum(per_message, 1e-9)
    price = np.zeros(3)
    while free:
        columns = shares[:, free] * weights[:, None]
        found: Any = np.linalg.lstsq(columns, per_message * weights, rcond=None)[0]
        if found.min() >= 0:
            price[free] = found
            break
        free.pop(int(found.argmin()))  # a part below zero is noise: there is no such part
    return Price(*(float(part) for part in price))


def costs(runs: Sequence[Run], crowd: Crowd) -> Costs:
    """Return the cost model of measured runs and a crowd."""
    return Costs(
        sender=fit(runs, "sender_us"),
        receiver=fit(runs, "receivers_us", batches=False),
        broker=fit(runs, "broker_us"),
        ping_us=crowd.pinged.sender_us / crowd.pings,
        broker_ping_us=crowd.pinged.broker_us / crowd.pings,
        connect_us=crowd.came.sender_us / crowd.users,
        broker_connect_us=crowd.came.broker_us / crowd.users,
        connection_kib=crowd.memory_kib / crowd.users,
    )
