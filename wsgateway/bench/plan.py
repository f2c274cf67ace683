"""Who talks to whom, where, and how often. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wsgateway.bench.dialect import Dialect
from wsgateway.bench.shape import Shape


@dataclass(frozen=True, slots=True)
class Pair:
    """Two users, one of whom sends to the other.

    Args:
        sender, recipient: user ids.
        sender_url, recipient_url: the nodes they are on.
    """

    sender: str
    sender_url: str
    recipient: str
    recipient_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The work of one load process.

    Args:
        dialect: how its clients talk.
        pairs: its pairs; both ends are here, so one clock times both.
        idle: (user id, URL) of users who say nothing but their heartbeat.
        group: the name under which its results are added up.
        size_bytes, in_flight, warmup_s, duration_s, quiet_s, seed: see `Shape`.
        rate_per_s: of its pairs together; None means closed loop.
        heartbeat: what its users send besides, if anything.
        heartbeat_s: how often each does, seconds.
        cycles: users who connect, register and leave, one after the other.
        cycles_per_s: how many a second; None means as fast as it goes.
        churned: the nodes they come to.
        background: whether the process steps back for those that are measured, and lets its users
            send in bursts, some milliseconds late.
    """

    dialect: Dialect
    pairs: Sequence[Pair] = ()
    idle: Sequence[tuple[str, str]] = ()
    group: str = ""
    size_bytes: int = 100
    in_flight: int = 32
    rate_per_s: float | None = None
    warmup_s: float = 0.0
    duration_s: float = 0.0
    quiet_s: float = 3.0
    seed: int = 1
    heartbeat: bytes | None = None
    heartbeat_s: float = 30.0
    cycles: int = 0
    cycles_per_s: float | None = None
    churned: Sequence[str] = ()
    background: bool = False


class Counts(NamedTuple):
    """What load processes have counted so far."""

    sent: int = 0
    received: int = 0
    refused: int = 0
    cycles: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    """What one load process counted; the names are those of `Outcome`."""

    group: str
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    unanswered: int = 0
    held: int = 0
    refused: dict[str, int]
    closed: dict[str, int]
    latencies_ms: list[float]
    lateness_ms: list[float]
    cycles: int = 0


def load_jobs(
    shape: Shape,
    urls: Sequence[str],
    dialect: Dialect,
    *,
    tag: str = "",
    group: str = "",
    heartbeat: bytes | None = None,
    background: bool = False,
) -> list[Job]:
    """Return one job per load process, pairs and rate shared out evenly.

    Args:
        shape: what to offer.
        urls: the nodes.
        dialect: how clients talk.
        tag: makes the user ids of this run differ from those of another on the same nodes.
        group, heartbeat, background: see `Job`.
    """
    step = 1 if shape.across else 0
    pairs = [
        Pair(
            f"{tag}s{number}",
            urls[number % len(urls)],
            f"{tag}r{number}",
            urls[(number + step) % len(urls)],
        )
        for number in range(shape.pairs)
    ]
    shares = [pairs[first :: shape.load_processes] for first in range(shape.load_processes)]
    return [
        Job(
            dialect=dialect,
            pairs=share,
            group=group,
            size_bytes=shape.size_bytes,
            in_flight=shape.in_flight,
            rate_per_s=shape.rate_per_s and shape.rate_per_s * len(share) / len(pairs),
            warmup_s=shape.warmup_s,
            duration_s=shape.duration_s,
            quiet_s=shape.quiet_s,
            seed=shape.seed + number,
            heartbeat=heartbeat,
            background=background,
        )
        for number, share in enumerate(shares)
        if share
    ]


def idle_jobs(
    users: int,
    urls: Sequence[str],
    dialect: Dialect,
    *,
    tag: str = "",
    heartbeat: bytes | None = None,
    most: int = 5_000,
) -> list[Job]:
    """Return jobs whose users only stay connected, at most `most` in each.

    Args:
        users: how many in all.
        urls: the nodes, which share them evenly.
        dialect, tag: see `load_jobs`.
        heartbeat: see `Job`.
        most: users of one process.
    """
    idle = [(f"{tag}i{number}", urls[number % len(urls)]) for number in range(users)]
    return [
        Job(dialect=dialect, idle=idle[first : first + most], heartbeat=heartbeat)
        for first in range(0, users, most)
    ]


def churn_jobs(
    cycles: int,
    urls: Sequence[str],
    dialect: Dialect,
    *,
    tag: str = "",
    per_s: float | None = None,
    processes: int = 1,
) -> list[Job]:
    """Return jobs whose users come and go.

    Args:
        cycles: how many come and go in all.
        urls, dialect, tag: see `load_jobs`.
        per_s: see `Job.cycles_per_s`, all jobs together.
        processes: how many share the work.
    """
    shares = [len(range(first, cycles, processes)) for first in range(processes)]
    return [
        Job(
            dialect=dialect,
            group=f"{tag}c{number}x",
            cycles=share,
            cycles_per_s=per_s and per_s / processes,
            churned=urls,
        )
        for number, share in enumerate(shares)
        if share
    ]


def arrivals(rate_per_s: float, pairs: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield (nanoseconds since the start, index of a pair): when who sends, without end.

    The moments are those of a Poisson process: senders do not wait for each other.
    """
    chance = random.Random(seed)
    at_s = 0.0
    while True:
        at_s += chance.expovariate(rate_per_s)
        yield int(at_s * 1e9), chance.randrange(pairs)
