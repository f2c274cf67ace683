"""Users of one load process who come and go."""

import asyncio
import time
from collections.abc import Callable

from wsgateway.bench.link import Link
from wsgateway.bench.plan import Job

_TOGETHER = 25


async def churn(job: Job, note: Callable[[int], None]) -> int:
    """Connect, register and leave, `job.cycles` times; return how often that was.

    Every second user leaves with a close frame, the others without a word. Each has a new id.

    Args:
        job: the work.
        note: called with how many have come and gone.

    Raises:
        BenchError: the server does not let one of them in.
    """
    began_s = time.monotonic()
    coming = iter(range(job.cycles))
    gone = 0

    async def come_and_go() -> None:
        nonlocal gone
        for number in coming:
            if job.cycles_per_s is not None:
                due_s = began_s + number / job.cycles_per_s
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
            link = Link(f"{job.group}{number}", job.dialect)
            await link.connect(job.churned[number % len(job.churned)])
            await link.leave(politely=number % 2 == 0)
            gone += 1
            note(gone)

    async with asyncio.TaskGroup() as group:
        for _ in range(_TOGETHER):
            group.create_task(come_and_go())
    return gone
