"""The load processes of a run, seen from the one that started them."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from wsgateway.bench import post
from wsgateway.bench.plan import Counts, Job, Report
from wsgateway.bench.shape import BenchError
from wsgateway.brokers import Child

_HELLO_S = 30.0


class Crew:
    """Starts a process for each job; `async with`, and they are gone at the end.

    Args:
        jobs: the work.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._members: list[_Member] = []
        self._directory = tempfile.TemporaryDirectory(prefix="wsgateway-bench-")

    async def __aenter__(self) -> Self:
        try:
            for number, job in enumerate(self._jobs):
                place = Path(self._directory.name) / str(number)
                self._members.append(await _Member.start(job, place))
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [member.child.pid for member in self._members]

    async def ready(self) -> None:
        """Wait until everyone is connected.

        Raises:
            BenchError: someone cannot.
        """
        await asyncio.gather(*(member.hear() for member in self._members))

    async def talk(self, start_ns: int, note: Callable[[Counts], None]) -> list[Report]:
        """Let them talk from `start_ns` on; return what they counted once all have ended.

        Args:
            start_ns: `time.monotonic_ns`, the same clock in all processes.
            note: called with what they have counted so far, now and then.

        Raises:
            BenchError: one of them ended.
        """
        latest: dict[int, Counts] = {}

        async def follow(number: int, member: "_Member") -> Report:
            member.say(start_ns)
            while not isinstance(told := await member.hear(), Report):
                latest[number] = told
                note(Counts(*map(sum, zip(*latest.values(), strict=True))))
            return told

        return list(await asyncio.gather(*(follow(*one) for one in enumerate(self._members))))

    def hold(self) -> None:
        """Let idle users send their heartbeat, until `release`."""
        for member in self._members:
            member.say(time.monotonic_ns())

    async def release(self) -> list[Report]:
        """End idle users; return what became of them."""
        for member in self._members:
            member.say("stop")
        return list(await asyncio.gather(*(member.hear() for member in self._members)))

    def close(self) -> None:
        """Kill them all."""
        for member in self._members:
            member.close()
        self._members.clear()
        with suppress(OSError):
            self._directory.cleanup()


class _Member:
    """One load process."""

    def __init__(
        self, child: Child, log: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.child = child
        self._log = log
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, job: Job, place: Path) -> "_Member":
        loop = asyncio.get_running_loop()
        called: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        called = loop.create_future()
        log = place.with_suffix(".log")
        server = await asyncio.start_unix_server(lambda *ends: called.set_result(ends), place)
        command = [sys.executable, "-m", "wsgateway.bench.worker", str(place)]
        child = await asyncio.to_thread(Child, command, log=log)
        try:
            async with asyncio.timeout(_HELLO_S):
                reader, writer = await called
        except BaseException:
            child.close()
            raise
        finally:
            server.close()
        post.send(writer, job)
        return cls(child, log, reader, writer)

    def say(self, what: Any) -> None:
        post.send(self._writer, what)

    async def hear(self) -> Any:
        try:
            told = await post.receive(self._reader)
        except EOFError:
            said = self._log.read_text("utf-8", "replace").strip().splitlines()
            raise BenchError(f"a load process ended: {said[-1] if said else '?'}") from None
        if isinstance(told, BaseException):
            raise told
        return told

    def close(self) -> None:
        self._writer.close()
        self.child.close()
