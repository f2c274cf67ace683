"""One run: start a cluster, load it, verify every message, stop everything."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count

from wsgateway.bench.cluster import Cluster, cpu_s, rss_kib
from wsgateway.bench.crew import Crew
from wsgateway.bench.dialect import JsonDialect
from wsgateway.bench.plan import Counts, Report, idle_jobs, load_jobs
from wsgateway.bench.shape import (
    MOST_LATENCIES,
    BenchError,
    Moment,
    Outcome,
    Shape,
    percentile,
    thinned,
)
from wsgateway.bench.target import Node, Target

__all__ = ["BenchError", "Moment", "Outcome", "Shape", "run", "wsgateway_target"]

Progress = Callable[[float, str], None]
"""Called with how much is done (0 to 1) and a word on how it goes."""

_LEAD_S = 0.3
_LOOK_S = 0.25
_tags = count()


def wsgateway_target(
    *, router: str = "redis", flags: Sequence[str] = (), name: str = "wsgateway"
) -> Target:
    """Return our own gateway as a target.

    Args:
        router: "redis" or "kafka".
        flags: more flags of `python -m wsgateway`.
        name: how tables call it.
    """

    def command(node: Node) -> list[str]:
        made = [sys.executable, "-m", "wsgateway", "--id", f"g{node.index + 1}"]
        made += ["--port", str(node.port), "--redis", node.redis, "--router", router]
        return [*made, *(["--kafka", node.kafka] if node.kafka else []), *flags]

    return Target(name=name, command=command, dialect=JsonDialect())


async def run(
    target: Target,
    shape: Shape,
    *,
    router: str = "redis",
    kafka: str = "tansu",
    progress: Progress | None = None,
) -> Outcome:
    """Start brokers and nodes, load them, verify, stop everything.

    Args:
        target: what to measure.
        shape: what to offer.
        router: "kafka" starts a Kafka besides Redis.
        kafka: "tansu" or "apache".
        progress: told how it goes.

    Raises:
        WsGatewayError: something did not start, or ended too early.
    """
    async with Cluster(target, nodes=shape.nodes, router=router, kafka=kafka) as cluster:
        return await measure(cluster, shape, progress=progress)


async def measure(
    cluster: Cluster,
    shape: Shape,
    *,
    heartbeat: bytes | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Load a cluster that runs; see `run`. May be called again: users get new names.

    Args:
        cluster: it.
        shape: what to offer.
        heartbeat: what all users send every 30 s; a run longer than the servers' patience needs it.
        progress: told how it goes.

    Raises:
        BenchError: something ended too early.
    """
    tag = new_tag()
    dialect = cluster.target.dialect
    async with AsyncExitStack() as stack:
        if shape.idle_users:
            jobs = idle_jobs(shape.idle_users, cluster.urls, dialect, tag=tag, heartbeat=heartbeat)
            idle = await stack.enter_async_context(Crew(jobs))
            await idle.ready()
            idle.hold()
        jobs = load_jobs(shape, cluster.urls, dialect, tag=tag, heartbeat=heartbeat)
        crew = await stack.enter_async_context(Crew(jobs))
        await crew.ready()
        watch = Watch(cluster, crew, shape, progress)
        reports = await watch.follow()
        return watch.outcome(reports, shape)


def new_tag() -> str:
    """Return what user ids of a run begin with, so that no two runs share a user."""
    return f"t{next(_tags)}"


class Watch:
    """Looks at a run from outside: CPU time, memory, progress, and whether all still live.

    Args:
        cluster: the nodes.
        crew: the load, connected.
        shape: how long it warms up and is measured.
        progress: told how it goes.
    """

    def __init__(
        self, cluster: Cluster, crew: Crew, shape: Shape, progress: Progress | None = None
    ) -> None:
        self._cluster, self._crew, self._shape = cluster, crew, shape
        self._progress = progress
        self._moments: list[Moment] = []
        self._counted = Counts()
        self._used: tuple[float, ...] = ()
        self._rss_kib: list[int] = []
        self._idle_rss_kib = rss_kib(cluster.node_pids)

    async def follow(self) -> list[Report]:
        """Let the load run to its end.

        Raises:
            BenchError: a process ended before.
        """
        start_ns = time.monotonic_ns() + int(_LEAD_S * 1e9)
        from_s = start_ns / 1e9 + self._shape.warmup_s
        looking = asyncio.create_task(self._look(from_s))
        talking = asyncio.create_task(self._crew.talk(start_ns, self._note))
        measuring = asyncio.create_task(self._measure(from_s))
        try:
            await asyncio.wait([looking, talking], return_when=asyncio.FIRST_COMPLETED)
            for task in (looking, talking):
                if task.done():
                    task.result()
            await measuring
            return await talking
        finally:
            for task in (looking, talking, measuring):
                task.cancel()
            await asyncio.gather(looking, talking, measuring, return_exceptions=True)

    def outcome(self, reports: Sequence[Report], shape: Shape) -> Outcome:
        """Return what came of some of the load, which was offered in `shape`."""
        latencies = merged([(one.latencies_ms, one.delivered) for one in reports])
        lateness = sorted(ms for one in reports for ms in one.lateness_ms)
        delivered = sum(one.delivered for one in reports)
        nodes_s, brokers_s, load_s = self._used
        return Outcome(
            target=self._cluster.target.name,
            shape=shape,
            delivered=delivered,
            per_s=delivered / shape.duration_s,
            lost=sum(one.lost for one in reports),
            doubled=sum(one.doubled for one in reports),
            reordered=sum(one.reordered for one in reports),
            unanswered=sum(one.unanswered for one in reports),
            refused=dict(sum((Counter(one.refused) for one in reports), Counter())),
            latencies_ms=latencies,
            node_cpu_s=nodes_s,
            broker_cpu_s=brokers_s,
            load_cpu_s=load_s,
            rss_kib=self._rss_kib,
            idle_rss_kib=self._idle_rss_kib,
            broker=self._cluster.broker,
            sent=sum(one.sent for one in reports),
            held=sum(one.held for one in reports),
            late_ms=percentile(lateness, 99),
            closed=dict(sum((Counter(one.closed) for one in reports), Counter())),
            moments=self._moments,
        )

    def _note(self, counted: Counts) -> None:
        self._counted = counted

    async def _look(self, from_s: float) -> None:
        """Note how it goes, now and then; without end, unless a node ends."""
        while True:
            self._cluster.check()
            at_s = time.monotonic() - from_s
            rss = tuple(rss_kib(self._cluster.node_pids))
            self._moments.append(Moment(at_s, *self._counted[:3], rss))
            self._tell(at_s)
            await asyncio.sleep(_LOOK_S)

    async def _measure(self, from_s: float) -> None:
        """Take CPU time and memory between the start and the end of the measured part."""
        await asyncio.sleep(from_s - time.monotonic())
        before = self._cpu()
        await asyncio.sleep(from_s + self._shape.duration_s - time.monotonic())
        self._used = tuple(b - a for a, b in zip(before, self._cpu(), strict=True))
        self._rss_kib = rss_kib(self._cluster.node_pids)

    def _cpu(self) -> tuple[float, ...]:
        pids = (self._cluster.node_pids, self._cluster.broker_pids, self._crew.pids)
        return tuple(cpu_s(one) for one in pids)

    def _tell(self, at_s: float) -> None:
        if self._progress is None:
            return
        whole_s = self._shape.warmup_s + self._shape.duration_s
        done = (at_s + self._shape.warmup_s) / whole_s
        word = f"{self._counted.received:,} messages arrived"
        self._progress(min(max(done, 0.0), 1.0), word)


def merged(parts: Sequence[tuple[list[float], int]]) -> list[float]:
    """Return one sorted sample; each part has as much weight as it counted messages."""
    if sum(len(values) for values, _ in parts) <= MOST_LATENCIES:
        return sorted(value for values, _ in parts for value in values)
    whole = sum(counted for _, counted in parts)
    shares = [(values, MOST_LATENCIES * counted // max(whole, 1)) for values, counted in parts]
    return sorted(value for values, share in shares for value in thinned(values, share))
