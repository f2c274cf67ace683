"""Ways to wait in a coroutine, watched by a ticker. Runs as a process of its own, prints JSON.

Run by its path, so that only the standard library and `nest_asyncio` are loaded: the patch of
`nest_asyncio.apply` stays for the life of a process, and must meet nobody else.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

TICK_S = 0.01
WAIT_S = 0.4
SHORT_S, LONG_S = 0.1, 0.4
_BEGIN_S = 0.1
_TURNS = 20_000


async def _awaited() -> None:
    await asyncio.sleep(WAIT_S)


async def _blocking() -> None:
    time.sleep(WAIT_S)  # noqa: ASYNC251 - this is the fault on show


async def _threaded() -> None:
    await asyncio.to_thread(time.sleep, WAIT_S)


async def _nested() -> None:
    _wait_inside(WAIT_S)


def _wait_inside(seconds: float) -> None:
    """Wait as a function that is not `async` would: with a loop inside the running one."""
    asyncio.get_running_loop().run_until_complete(asyncio.sleep(seconds))


async def watch(way: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Tick every 10 ms; after a while, wait in this way once."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    ticks: list[tuple[float, float]] = []

    async def tick() -> None:
        due = began
        while True:
            due = max(due + TICK_S, began + TICK_S * ((loop.time() - began) // TICK_S + 1))
            await asyncio.sleep(due - loop.time())
            ticks.append((due - began, loop.time() - due))

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(_BEGIN_S)
    since = loop.time() - began
    await way()
    until = loop.time() - began
    await asyncio.sleep(_BEGIN_S)
    ticking.cancel()
    return {"ticks": ticks, "since_s": since, "until_s": until}


async def two_callers() -> dict[str, float]:
    """One waits for a short time inside the loop, and a moment later another for a long one."""
    took: dict[str, float] = {}

    async def caller(name: str, seconds: float) -> None:
        began = time.monotonic()
        _wait_inside(seconds)
        took[name] = time.monotonic() - began

    await asyncio.gather(caller("short", SHORT_S), caller("long", LONG_S))
    return took


async def turn_us() -> float:
    """Return what one turn of a task costs, microseconds."""

    async def spin() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    began = time.perf_counter()
    await asyncio.create_task(spin())
    return (time.perf_counter() - began) * 1e6 / _TURNS


def main() -> None:
    """Watch three ways on the plain loop, then patch, and watch the fourth."""
    told: dict[str, Any] = {}
    for way in (_awaited, _threaded, _blocking):
        told[way.__name__] = asyncio.run(watch(way))
    told["plain"] = {"task": asyncio.Task.__module__, "turn_us": asyncio.run(turn_us())}
    import nest_asyncio  # type: ignore[import-untyped]  # it has no types

    nest_asyncio.apply()
    told["_nested"] = asyncio.run(watch(_nested))
    told["callers"] = asyncio.run(two_callers())
    told["patched"] = {"task": asyncio.Task.__module__, "turn_us": asyncio.run(turn_us())}
    json.dump(told, sys.stdout)
    print()


if __name__ == "__main__":
    main()
