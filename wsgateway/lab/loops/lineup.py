"""Some coroutines on one loop, one of which blocks it: the evidence, live and invented."""

import asyncio
import heapq
import time
from dataclasses import dataclass, field
from random import Random

from wsgateway.lab.language import say
from wsgateway.lab.loop import LoopThread

NAMES = ("backup", "greeter", "report", "sweeper")
TICK_MS = 10.0
LATE_MS = 20.0
_BLOCK_MS = 45.0


@dataclass(slots=True)
class Evidence:
    """What a ticker and a diary wrote down. Milliseconds since the beginning.

    Args:
        ticks: (when it was due, when it came).
        woke: coroutine -> the moments at which it was given the loop.
        blocker: which one blocks.
    """

    blocker: str
    ticks: list[tuple[float, float]] = field(default_factory=list)
    woke: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})

    @property
    def late(self) -> list[tuple[float, float]]:
        """The ticks that came more than 20 ms late."""
        return [(due, came) for due, came in self.ticks if came - due > LATE_MS]


def observe(*, seed: int, lasts_s: float = 1.5) -> Evidence:
    """Let four coroutines work beside a ticker, on a loop of their own, and write it all down.

    Args:
        seed: of who blocks and of how often each works; printed.
        lasts_s: how long, seconds.
    """
    say(f"Four coroutines, one ticker, seed {seed}.", f"四个协程，一个打点器，种子 {seed}。")
    # Why: one of them blocks. On the lab's own loop it would stop every gateway of this kernel.
    # 原因：其中一个会卡住循环。放到实验室自己的循环上，本内核的网关就全停了。
    loop = LoopThread("wsgateway-lineup")
    try:
        return loop.run(_observe(Random(seed), lasts_s), timeout_s=lasts_s + 10.0)
    finally:
        loop.close()


async def _observe(rng: Random, lasts_s: float) -> Evidence:
    loop = asyncio.get_running_loop()
    seen = Evidence(rng.choice(NAMES))
    began = loop.time()

    def now_ms() -> float:
        return 1e3 * (loop.time() - began)

    async def tick() -> None:
        while True:
            due = TICK_MS * (now_ms() // TICK_MS + 1)
            await asyncio.sleep((due - now_ms()) / 1e3)
            seen.ticks.append((due, now_ms()))

    async def work(name: str, every_ms: float) -> None:
        while True:
            await asyncio.sleep(every_ms / 1e3)
            seen.woke[name].append(now_ms())
            if name == seen.blocker:
                time.sleep(_BLOCK_MS / 1e3)  # noqa: ASYNC251 - the fault to be found
            else:
                await asyncio.sleep(_BLOCK_MS / 1e3)

    tasks = [asyncio.create_task(tick())]
    tasks += [asyncio.create_task(work(name, rng.uniform(60, 130))) for name in NAMES]
    try:
        await asyncio.sleep(lasts_s)
    finally:
        for task in tasks:
            task.cancel()
    return seen


def invent(rng: Random, *, lasts_ms: float = 1_500.0) -> Evidence:
    """Play the same without waiting, with one innocent who is always due while it is blocked."""
    blocker, *others = rng.sample(NAMES, len(NAMES))
    every = {name: rng.uniform(60, 130) for name in NAMES}
    shadow = others[0]
    every[shadow] = every[blocker]
    seen = Evidence(blocker)
    due = {name: rng.uniform(5, 60) for name in NAMES}
    due[shadow] = due[blocker] + rng.uniform(5, 30)
    queue = [(TICK_MS, ""), *((at, name) for name, at in due.items())]
    heapq.heapify(queue)
    now = 0.0
    while now < lasts_ms:
        at, name = heapq.heappop(queue)
        now = max(now, at)
        if not name:
            seen.ticks.append((at, now))
            heapq.heappush(queue, (TICK_MS * (now // TICK_MS + 1), ""))
            continue
        seen.woke[name].append(now)
        if name == blocker:
            now += _BLOCK_MS
        # The shadow keeps the blocker's pace, a little behind it.
        pause = every[name] + (_BLOCK_MS if name != blocker else 0.0)
        if name == shadow:
            pause = max(0.0, seen.woke[blocker][-1] + _BLOCK_MS + every[blocker] - now) + 15.0
        heapq.heappush(queue, (now + pause, name))
    return seen
