"""One group of real clients, in a load process: `python crowd.py JOB`. `Group` starts it.

JOB is a file, the fields of a `Job` as JSON. Prints `ready` once everyone is registered, and a
`Told` as JSON once everyone has lost its gateway and is registered again. Then it stays until it
is killed.

Why: run as a file, and importing nothing of the lab: a second of plotting libraries for each of
these processes would be most of what they do.
原因：直接作为文件运行，不导入 lab 的任何东西：否则每个这样的进程光是加载绘图库就要一秒，
比它要干的活还多。
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wsgateway.client import Client, Connected, Disconnected, Event, Options, Retrying

_TOGETHER = 25


@dataclass(frozen=True, slots=True)
class Job:
    """A group of clients.

    Args:
        group: their user ids are this name, without its spaces, and a number.
        clients: how many.
        urls: gateways, in order of preference.
        waits: of each client, its wait before each attempt, seconds, the last one for all that
            follow; None takes the client's own backoff.
        seed: of the client's own randomness.
    """

    group: str
    clients: int
    urls: Sequence[str]
    waits: Sequence[Sequence[float]] | None
    seed: int

    @property
    def users(self) -> list[str]:
        """Their user ids."""
        name = self.group.replace(" ", "-")
        return [f"{name}-{number}" for number in range(self.clients)]


@dataclass(slots=True)
class Told:
    """What a group went through; all times of the monotonic clock, seconds.

    Args:
        attempts: when each attempt to connect again was due.
        back: when each client was registered again.
        codes: close code -> how many clients lost their gateway with it.
    """

    attempts: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Paced(Options):
    """The client as it is, but for its waits, seconds."""

    waits: Sequence[float]

    def backoff_s(self, attempt: int, rng: random.Random) -> float:
        return self.waits[min(attempt, len(self.waits) - 1)]


class Crowd:
    """The clients of one job."""

    def __init__(self, job: Job) -> None:
        self.told = Told()
        self.all_back = asyncio.Event()
        self._clients = [
            Client(
                user,
                job.urls,
                options=Options() if job.waits is None else Paced(waits=job.waits[number]),
                rng=random.Random(f"{job.seed} {user}"),
                on_event=self._note,
            )
            for number, user in enumerate(job.users)
        ]
        self._lost = False

    async def enter(self, stack: AsyncExitStack) -> None:
        """Register everyone, a few at a time."""
        for first in range(0, len(self._clients), _TOGETHER):
            some = self._clients[first : first + _TOGETHER]
            async with asyncio.TaskGroup() as group:
                for client in some:
                    group.create_task(client.start())
            for client in some:
                stack.push_async_callback(client.aclose)

    def _note(self, event: Event) -> None:
        now_s = time.monotonic()
        if isinstance(event, Disconnected):
            self._lost = True
            code = str(event.code)
            self.told.codes[code] = self.told.codes.get(code, 0) + 1
        elif isinstance(event, Retrying) and self._lost:
            # Why: an attempt counts when its client's own timer says go. 1,000 real clients have
            # 1,000 processors; here one process starts them one after another.
            # 原因：尝试按客户端自己的定时器到点的时刻计。真实的 1,000 个客户端有 1,000 个处理器，
            # 这里却由一个进程挨个启动。
            self.told.attempts.append(now_s + event.delay_s)
        elif isinstance(event, Connected) and self._lost:
            self.told.back.append(now_s)
            if len(self.told.back) == len(self._clients):
                self.all_back.set()


async def main(job: Job) -> None:
    """Do one job."""
    crowd = Crowd(job)
    async with AsyncExitStack() as stack:
        await crowd.enter(stack)
        print("ready", flush=True)
        await crowd.all_back.wait()
        print(json.dumps(asdict(crowd.told)), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(Path(sys.argv[1]).read_text("utf-8")))))
