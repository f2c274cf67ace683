"""What connections cost that say nothing, or only come and go."""

import asyncio
import time
from contextlib import AsyncExitStack

from wsgateway.bench.cluster import Cluster, cpu_s, rss_kib
from wsgateway.bench.crew import Crew
from wsgateway.bench.plan import churn_jobs, idle_jobs
from wsgateway.bench.run import Progress, new_tag

_STEPS = 5
_FIRST_SHARE = 10  # a tenth of the cycles comes before the first look at memory
_CHURN_PROCESSES = 2


class Idle:
    """Fills the one node of a cluster with connections, and measures it meanwhile.

    Args:
        cluster: of one node.
        settle_s: the pause before memory is read, seconds.
        progress: told how it goes.

    `users` and `rss_kib` grow together: the memory with so many users.
    """

    def __init__(
        self, cluster: Cluster, *, settle_s: float = 2.0, progress: Progress | None = None
    ) -> None:
        self.users: list[int] = []
        self.rss_kib: list[int] = []
        self.closed: dict[str, int] = {}
        self._cluster = cluster
        self._settle_s = settle_s
        self._progress = progress

    @property
    def kib_each(self) -> float:
        """Memory of one connection, KiB."""
        return (self.rss_kib[-1] - self.rss_kib[0]) / self.users[-1]

    async def fill(
        self, users: int, *, watch_s: float = 0.0, heartbeat: bytes | None = None
    ) -> tuple[float, float]:
        """Connect users in steps, watch the node, let them go.

        Args:
            users: how many.
            watch_s: how long to watch, seconds, once silent and once with heartbeats; 0: not.
            heartbeat: what users then say every 30 s.

        Returns:
            CPU time of the node in percent of a core: silent, with heartbeats.
        """
        urls, dialect = self._cluster.urls, self._cluster.target.dialect
        silent = beating = 0.0
        await self._look(0)
        async with AsyncExitStack() as stack:
            crews = []
            for step in range(1, _STEPS + 1):
                part = users * step // _STEPS - self.users[-1]
                jobs = idle_jobs(part, urls, dialect, tag=new_tag(), heartbeat=heartbeat)
                crews.append(await stack.enter_async_context(Crew(jobs)))
                await crews[-1].ready()
                await self._look(self.users[-1] + part)
                self._tell(step / (_STEPS + 2), f"{self.users[-1]:,} users")
            if watch_s:
                silent = await self._busy_percent(watch_s)
            for crew in crews:
                crew.hold()
            if watch_s:
                beating = await self._busy_percent(watch_s)
            for crew in crews:
                for report in await crew.release():
                    self.closed |= report.closed
        return silent, beating

    async def churn(self, cycles: int) -> tuple[float, int, int]:
        """Let users come and go.

        Returns:
            Cycles per second; memory after a tenth of them and after all, KiB.
        """
        urls, dialect = self._cluster.urls, self._cluster.target.dialect
        first = max(cycles // _FIRST_SHARE, 1)
        memory, took_s = [], 0.0
        for share in (first, cycles - first):
            jobs = churn_jobs(share, urls, dialect, tag=new_tag(), processes=_CHURN_PROCESSES)
            began_s = time.monotonic()
            async with Crew(jobs) as crew:
                await crew.ready()
                await crew.talk(
                    time.monotonic_ns(),
                    lambda counts: self._tell(counts.cycles / cycles, f"{counts.cycles:,} cycles"),
                )
            took_s = time.monotonic() - began_s
            memory.append(await self._settled_kib())
        return (cycles - first) / took_s, memory[0], memory[1]

    async def _look(self, users: int) -> None:
        self.users.append(users)
        self.rss_kib.append(await self._settled_kib())

    async def _settled_kib(self) -> int:
        await asyncio.sleep(self._settle_s)
        self._cluster.check()
        return rss_kib(self._cluster.node_pids)[0]

    async def _busy_percent(self, watch_s: float) -> float:
        pids = self._cluster.node_pids
        before_s, began_s = cpu_s(pids), time.monotonic()
        await asyncio.sleep(watch_s)
        self._cluster.check()
        return 100 * (cpu_s(pids) - before_s) / (time.monotonic() - began_s)

    def _tell(self, done: float, word: str) -> None:
        if self._progress is not None:
            self._progress(done, word)
