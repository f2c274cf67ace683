"""`python -m wsgateway.lab.timing.sleeper URL COUNT PING_S SEED`: clients that only stay.

A process of its own, so that it can be stopped (SIGSTOP), as a laptop is when its lid closes.
"""

import asyncio
import random
import sys
from contextlib import AsyncExitStack

from wsgateway.client import Client

READY = "all are connected"


def name_of(number: int) -> str:
    """Return the user id of a sleeper."""
    return f"sleeper-{number}"


async def main(url: str, count: int, ping_s: float, seed: int) -> None:
    """Connect at random moments, so that the heartbeats do not fall together, and stay."""
    delays_s = sorted(random.Random(seed).uniform(0, ping_s) for _ in range(count))
    async with AsyncExitStack() as clients:
        began_s = 0.0
        for number, at_s in enumerate(delays_s):
            await asyncio.sleep(at_s - began_s)
            began_s = at_s
            await clients.enter_async_context(Client(name_of(number), [url]))
        await asyncio.sleep(2 * ping_s)  # until each has sent a heartbeat
        print(READY, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
