"""Ending tasks for certain."""

import asyncio
from typing import Any

_AGAIN_S = 0.1


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel `tasks` and wait until they have ended; what they raised is not raised here."""
    # Why: `asyncio.wait_for`, which redis-py uses, loses a cancellation that comes together with
    # its result (until Python 3.12, gh-86296). Cancelled once, the task might run on for ever.
    # 原因：redis-py 用到的 `asyncio.wait_for` 会丢掉与结果同时到来的取消
    # （Python 3.12 之前，gh-86296）。只取消一次，任务可能永远跑下去。
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
