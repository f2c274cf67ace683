"""A thousand gateways, played with measured costs. Pure and seeded: a seed replays a run.

What is played: who is connected where, how long work waits for a busy core, how batches thin out,
and what happens to the others when some die. What is not: the network between machines, pauses of
the kernel or of the garbage collector, neighbours on the same hardware.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsgateway.lab.capacity import Costs
from wsgateway.lab.sizing import Demand

Array = NDArray[np.float64]
_CORE_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Wait:
    """How long work waits for its core.

    Args:
        busy: share of the time the core is at work.
        p50_us, p99_us: half of the work, and all but one in a hundred, waits no longer.
    """

    busy: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Connections of every gateway: before some die, when their users are back, after restarts."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    restarted: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Storm:
    """The others, while the users of dead gateways come back.

    Args:
        at_s: moments since the death.
        back: share of those users that are registered again, at each moment.
        per_s: registrations per second, at each moment.
        back_s: when the last one was back; infinite if that took longer than was played.
        wait_s: the longest that a user who was there again waited for the registration.
        broker_busy: of all broker nodes together, at the busiest moment, cores.
    """

    at_s: Array
    back: Array
    per_s: Array
    back_s: float
    wait_s: float
    broker_busy: float


def mixture(demand: Demand, costs: Costs) -> tuple[Array, Array]:
    """Return the kinds of work of a gateway: the share of each, and its CPU microseconds."""
    rates = np.array([demand.messages_per_s, demand.messages_per_s, demand.pings_per_s])
    work = np.array([costs.sender.of(), costs.receiver.of(), costs.ping_us])
    return rates / rates.sum(), work


def waits(
    busy: Sequence[float],
    shares: Array,
    work_us: Array,
    *,
    gateways: int = 1_000,
    turns: int = 2_000,
    seed: int = 9,
) -> list[Wait]:
    """Play the queue before the core of each gateway, for each share of busy time.

    Work arrives at random moments (Poisson) and is done in order, one at a time, as an event loop
    does it.

    Args:
        busy: shares of the time a core is at work, each below 1.
        shares, work_us: kinds of work, as `mixture` returns them.
        gateways: played side by side; all their waits count.
        turns: pieces of work for each; the first half only fills the queues.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    mean_us = float(shares @ work_us)
    found = []
    for one in busy:
        if not 0 < one < 1:
            raise ValueError("a core that is busy all the time never gets its queue done")
        waiting_us = np.zeros(gateways)
        seen = []
        for turn in range(turns):
            took_us = rng.choice(work_us, p=shares, size=gateways)
            until_next_us = rng.exponential(mean_us / one, size=gateways)
            # Why: Lindley's recursion. Whoever comes next waits for what is left of the queue.
            # 原因：Lindley 递推。下一个到的人，要等队列里剩下的活干完。
            waiting_us = np.maximum(0.0, waiting_us + took_us - until_next_us)
            if turn >= turns // 2:
                seen.append(waiting_us)
        p50_us, p99_us = np.percentile(seen, (50, 99))
        found.append(Wait(one, float(p50_us), float(p99_us)))
    return found


def publishes_per_message(batch: float, gateways: int) -> float:
    """Return how many publishes one message takes when even batches go to random gateways.

    A batch takes one publish for each gateway that something in it is for.

    Args:
        batch: messages in one batch.
        gateways: that recipients are spread over, the sender's own left out.
    """
    return float(gateways * (1.0 - (1.0 - 1.0 / gateways) ** batch) / batch)


def play_batches(batch: int, gateways: int, *, rounds: int = 2_000, seed: int = 9) -> float:
    """Return the same, by throwing every message of every batch at a random gateway."""
    rng = np.random.default_rng(seed)
    targets = np.sort(rng.integers(gateways, size=(rounds, batch)), axis=1)
    publishes = 1 + (np.diff(targets, axis=1) > 0).sum(axis=1)
    return float(publishes.mean()) / batch


def carried_per_s(
    costs: Costs, gateways: int, *, batch: int, shards: int = 1, busy: float = 0.6
) -> dict[str, float]:
    """Return how many messages per second gateways and brokers could each carry, all together.

    Args:
        costs: measured.
        gateways: in the fleet, one core each.
        batch: messages in a batch; what one flight of a loaded gateway gathers.
        shards: broker nodes, one core each, with sharded Pub/Sub.
        busy: the share of a core that may be used.
    """
    loads = {
        "batches": 1.0 / batch,
        "publishes": publishes_per_message(batch, max(gateways - 1, 1)),
    }
    return {
        "gateways": gateways * busy * _CORE_US / costs.message_us(**loads),
        "broker": shards * busy * _CORE_US / costs.broker.of(**loads),
    }


def broadcast_per_s(costs: Costs, gateways: int, *, batch: int, busy: float = 0.6) -> float:
    """Return what the same gateways carry when every message goes to every gateway."""
    loads = {"batches": 1.0 / batch, "publishes": 1.0 / batch}
    own_us = costs.sender.of(**loads)
    heard_us = costs.receiver.message_us + costs.receiver.publish_us / batch
    return gateways * busy * _CORE_US / (own_us + (gateways - 1) * heard_us)


def spread(connections: int, gateways: int, *, dead: int, seed: int = 9) -> Spread:
    """Place connections at random; let `dead` gateways die, and start them again empty."""
    rng = np.random.default_rng(seed)
    before = rng.multinomial(connections, np.full(gateways, 1 / gateways))
    moved = rng.multinomial(before[:dead].sum(), np.full(gateways - dead, 1 / (gateways - dead)))
    after = before[dead:] + moved
    # Why: a connection lives on where it is. A restarted gateway gets newcomers only.
    # 原因：连接在哪里就留在哪里。重启的网关只能等新来的用户。
    restarted = np.concatenate([np.zeros(dead, dtype=np.int64), after])
    return Spread(before, after, restarted)


def storm(
    costs: Costs,
    *,
    connections_each: int,
    gateways: int = 1_000,
    dead: int = 50,
    over_s: float = 0.0,
    busy: float = 0.4,
    shards: int = 1,
    play_s: float = 60.0,
    seed: int = 9,
) -> Storm:
    """Let gateways die at once, and their users come back to the others.

    Args:
        costs: measured.
        connections_each: of each gateway before.
        gateways, dead: how many there are, and how many die.
        over_s: users come back at a random moment of so many seconds (jitter); 0 is at once.
        busy: share of each survivor's core that its own users take; the rest is spare.
        shards: broker nodes that registrations are spread over.
        play_s: how long is played.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    tick_s = 0.05
    ticks = round(play_s / tick_s)
    left, users = gateways - dead, connections_each * dead
    when = np.minimum(rng.random(users) * over_s / tick_s, ticks - 1).astype(int)
    coming = np.bincount(when, minlength=ticks)
    # Why: what registers in a tick is bounded twice: by the spare time of each survivor's core,
    # and by that of the brokers, whom all of them share.
    # 原因：每一小步能注册多少，受两头限制：每个存活网关核上的余量，以及大家共用的代理的余量。
    served = (1 - busy) * tick_s * _CORE_US / costs.connect_us
    at_broker = (1 - busy) * shards * tick_s * _CORE_US / costs.broker_connect_us
    done = _served(coming, left, served, at_broker, rng)
    back = np.cumsum(done)
    # First come, first served: number n of those who came is number n of those who are back.
    missing = 1e-6 * users
    since = np.searchsorted(back, np.cumsum(coming) - missing) - np.arange(ticks)
    finished = np.flatnonzero(back > users - missing)
    return Storm(
        at_s=((np.arange(ticks) + 1) * tick_s).astype(np.float64),
        back=back / users,
        per_s=done / tick_s,
        back_s=float((finished[0] + 1) * tick_s) if len(finished) else float("inf"),
        wait_s=float(since.max() * tick_s),
        broker_busy=float(done.max() * costs.broker_connect_us / (tick_s * _CORE_US)),
    )


def _served(
    coming: NDArray[np.int64], left: int, each: float, together: float, rng: np.random.Generator
) -> Array:
    """Return how many register in each tick, at most `each` per gateway and `together` in all."""
    queues, done = np.zeros(left), np.zeros(len(coming))
    for tick, users in enumerate(coming):
        if users:
            queues += rng.multinomial(users, np.full(left, 1 / left))
        taken = np.minimum(queues, each)
        taken *= min(1.0, together / max(taken.sum(), 1e-9))
        queues -= taken
        done[tick] = taken.sum()
    return done
