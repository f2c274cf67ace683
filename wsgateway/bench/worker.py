"""`python -m wsgateway.bench.worker SOCKET`: one load process, told what to do over a socket."""

import asyncio
import sys
import time

import uvloop

from wsgateway.bench import post
from wsgateway.bench.alarm import Alarm
from wsgateway.bench.link import Link, endings
from wsgateway.bench.plan import Job, Report, arrivals
from wsgateway.bench.shape import BenchError
from wsgateway.bench.talk import Ledger, Talk, report

_TOGETHER = 50
_TICK_S = 0.1
_TICKS_UNTIL_NUDGE = 10
# Why: past this many connections to one address of a server, the ports of one source run out.
# 原因：对服务器同一地址的连接超过这个数，一个源地址的端口就不够用了。
_LINKS_PER_SOURCE = 20_000


class Worker:
    """Connects the users of a job, lets them talk, and reports.

    Args:
        job: the work.
        writer: where to say how it goes.
    """

    def __init__(self, job: Job, writer: asyncio.StreamWriter) -> None:
        self._job = job
        self._writer = writer
        self._idle: list[Link] = []
        self._talks: list[Talk] = []

    async def connect(self) -> None:
        """Connect and register everyone.

        Raises:
            BenchError: the server does not let us.
        """
        idle = [(Link(user, self._job.dialect), url) for user, url in self._job.idle]
        await _connect_all(idle)
        self._idle = [link for link, _ in idle]
        ends = []
        for pair in self._job.pairs:
            sender = Link(pair.sender, self._job.dialect)
            recipient = Link(pair.recipient, self._job.dialect)
            self._talks.append(Talk(self._job.dialect, self._job, sender, recipient))
            ends += [(sender, pair.sender_url), (recipient, pair.recipient_url)]
        await _connect_all(ends)

    async def talk(self, start_ns: int) -> Report:
        """Send from `start_ns` until the time is over and all has come, or nothing comes."""
        await asyncio.sleep(max(start_ns - time.monotonic_ns(), 0) / 1e9)
        ledger = Ledger(self._job, start_ns)
        for talk in self._talks:
            talk.start(ledger)
        alarm = self._open_loop(ledger, start_ns) if self._job.rate_per_s else None
        try:
            await self._watch(ledger)
        finally:
            if alarm is not None:
                alarm.close()
        links = [link for talk in self._talks for link in (talk.sender, talk.recipient)]
        return report(self._job, self._talks, ledger, endings(links))

    async def beat(self) -> None:
        """Send the heartbeat of the idle users, spread evenly over its period; without end."""
        if self._job.heartbeat is None or not self._idle:
            return
        began_s, sent = time.monotonic(), 0
        while True:
            await asyncio.sleep(_TICK_S)
            part = (time.monotonic() - began_s) / self._job.heartbeat_s
            while sent < part * len(self._idle):
                self._idle[sent % len(self._idle)].write([self._job.heartbeat])
                sent += 1

    def stay(self) -> Report:
        """Return what became of the idle users."""
        return report(self._job, [], Ledger(self._job, 0), endings(self._idle))

    def _open_loop(self, ledger: Ledger, start_ns: int) -> Alarm:
        assert self._job.rate_per_s is not None
        coming = arrivals(self._job.rate_per_s, len(self._talks), self._job.seed)
        after_ns, who = next(coming)

        def ring() -> None:
            nonlocal after_ns, who
            now_ns = time.monotonic_ns()
            while start_ns + after_ns <= now_ns:
                due_ns = start_ns + after_ns
                if due_ns >= ledger.until_ns:
                    return
                ledger.lateness_ns.add(now_ns - due_ns)
                self._talks[who].send(1, due_ns)
                after_ns, who = next(coming)
            alarm.at(start_ns + after_ns)

        alarm = Alarm(ring)
        alarm.at(start_ns + after_ns)
        return alarm

    async def _watch(self, ledger: Ledger) -> None:
        """Say how it goes, until everything sent has come or nothing comes any more."""
        quiet_since_s, before, ticks = time.monotonic(), -1, 0
        acks = self._job.dialect.acks
        while True:
            await asyncio.sleep(_TICK_S)
            told = sum(ledger.refused.values())
            post.send(self._writer, (ledger.sent, ledger.received, told))
            now_s = time.monotonic()
            heard = ledger.received + min(ledger.answered, ledger.sent)
            if heard != before:
                quiet_since_s, before = now_s, heard
            ticks += 1
            if now_s * 1e9 < ledger.until_ns:
                if ticks % _TICKS_UNTIL_NUDGE == 0:
                    for talk in self._talks:
                        talk.nudge()
                continue
            quiet_s = now_s - max(quiet_since_s, ledger.until_ns / 1e9)
            if quiet_s > self._job.quiet_s or not any(talk.open(acks) for talk in self._talks):
                return


async def _connect_all(links: list[tuple[Link, str]]) -> None:
    several = len(links) > _LINKS_PER_SOURCE
    for first in range(0, len(links), _TOGETHER):
        source = f"127.0.0.{2 + first // _LINKS_PER_SOURCE}" if several else None
        async with asyncio.TaskGroup() as group:
            for link, url in links[first : first + _TOGETHER]:
                group.create_task(link.connect(url, source))


async def main(socket: str) -> None:
    """Do the one job that comes over the socket, until told to stop."""
    reader, writer = await asyncio.open_unix_connection(socket)
    job = await post.receive(reader)
    worker = Worker(job, writer)
    beating: asyncio.Task[None] | None = None
    try:
        await worker.connect()
        post.send(writer, "ready")
        beating = asyncio.create_task(worker.beat())
        start_ns = await post.receive(reader)
        if job.pairs:
            post.send(writer, await worker.talk(start_ns))
        await post.receive(reader)  # the word to stop
        if not job.pairs:
            post.send(writer, worker.stay())
        await writer.drain()
    except* BenchError as errors:
        post.send(writer, errors.exceptions[0])
        await writer.drain()
    finally:
        if beating is not None:
            beating.cancel()


if __name__ == "__main__":
    try:
        uvloop.run(main(sys.argv[1]))
    except (EOFError, KeyboardInterrupt):
        sys.exit(1)
