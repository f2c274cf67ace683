"""`python -m wsgateway.bench.worker SOCKET`: one load process, told what to do over a socket."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import uvloop

from wsgateway.bench import post
from wsgateway.bench.alarm import Alarm
from wsgateway.bench.churn import churn
from wsgateway.bench.link import Link, endings
from wsgateway.bench.plan import Counts, Job, Report, arrivals
from wsgateway.bench.shape import BenchError
from wsgateway.bench.talk import Ledger, Talk, report

_TOGETHER = 50
_TICK_S = 0.1
_TICKS_UNTIL_NUDGE = 10
# Why: past this many connections to one address of a server, the ports of one source run out.
# 原因：对服务器同一地址的连接超过这个数，一个源地址的端口就不够用了。
_LINKS_PER_SOURCE = 20_000
# Why: background load must not take from the gateways the CPU time whose shortage is to be
# measured. A timer for each of 100,000 messages a second kept two cores busy; this one takes half
# of one core, and its users' sockets are as full.
# 原因：背景负载不能和网关抢 CPU，否则量到的是争抢，而不是网关自己的不足。每秒十万条消息，
# 每条都等自己的定时器，要占满近两个核；这样只要半个多核，套接字照样塞得满满的。
_NICE = 5
_PAUSE_NS = 5_000_000


class Worker:
    """Connects the users of a job, lets them talk, and reports.

    Args:
        job: the work.
        writer: where to say how it goes.
    """

    def __init__(self, job: Job, writer: asyncio.StreamWriter) -> None:
        self._job = job
        self._writer = writer
        self._links: list[Link] = []
        self._talks: list[Talk] = []
        self._cycles = 0
        self._sending = False

    async def connect(self) -> None:
        """Connect and register everyone.

        Raises:
            BenchError: the server does not let us.
        """
        urls = []
        for user, url in self._job.idle:
            self._links.append(Link(user, self._job.dialect))
            urls.append(url)
        for pair in self._job.pairs:
            ends = Link(pair.sender, self._job.dialect), Link(pair.recipient, self._job.dialect)
            self._talks.append(Talk(self._job.dialect, self._job, *ends))
            self._links += ends
            urls += [pair.sender_url, pair.recipient_url]
        await _connect_all(self._links, urls)

    async def work(self, start_ns: int) -> Report:
        """Do the job from `start_ns` on, to its end; return what was counted.

        Raises:
            BenchError: the server does not let someone in.
        """
        await asyncio.sleep(max(start_ns - time.monotonic_ns(), 0) / 1e9)
        ledger = Ledger(self._job, start_ns)
        for talk in self._talks:
            talk.start(ledger)
        alarm = self._open_loop(ledger, start_ns) if self._job.rate_per_s else None
        watching = asyncio.create_task(self._watch(ledger))
        try:
            if self._job.cycles:
                await churn(self._job, self._note)
            await watching
        finally:
            watching.cancel()
            if alarm is not None:
                alarm.close()
        return self.report(ledger)

    def report(self, ledger: Ledger | None = None) -> Report:
        """Return what was counted."""
        ledger = ledger or Ledger(self._job, 0)
        return report(self._job, self._talks, ledger, endings(self._links), self._cycles)

    async def beat(self) -> None:
        """Send everyone's heartbeat, spread evenly over its period; without end."""
        if self._job.heartbeat is None or not self._links:
            return
        began_s, sent = time.monotonic(), 0
        while True:
            await asyncio.sleep(_TICK_S)
            part = (time.monotonic() - began_s) / self._job.heartbeat_s
            while sent < part * len(self._links):
                self._links[sent % len(self._links)].write([self._job.heartbeat])
                sent += 1

    def _open_loop(self, ledger: Ledger, start_ns: int) -> Alarm:
        assert self._job.rate_per_s is not None
        coming = arrivals(self._job.rate_per_s, len(self._talks), self._job.seed)
        after_ns, who = next(coming)
        pause_ns = _PAUSE_NS if self._job.background else 0

        def ring() -> None:
            nonlocal after_ns, who
            now_ns = time.monotonic_ns()
            while start_ns + after_ns <= now_ns:
                due_ns = start_ns + after_ns
                if due_ns >= ledger.until_ns:
                    self._sending = False
                    return
                ledger.lateness_ns.add(now_ns - due_ns)
                self._talks[who].send(1, due_ns)
                after_ns, who = next(coming)
            alarm.at(max(start_ns + after_ns, now_ns + pause_ns))

        self._sending = True
        alarm = Alarm(ring)
        alarm.at(start_ns + after_ns)
        return alarm

    def _note(self, cycles: int) -> None:
        self._cycles = cycles

    async def _watch(self, ledger: Ledger) -> None:
        """Say how it goes, until everything sent has come or nothing comes any more."""
        quiet_since_s, before, ticks = time.monotonic(), -1, 0
        acks = self._job.dialect.acks
        while True:
            await asyncio.sleep(_TICK_S)
            refused = sum(ledger.refused.values())
            post.send(self._writer, Counts(ledger.sent, ledger.received, refused, self._cycles))
            now_s = time.monotonic()
            heard = ledger.received + min(ledger.answered, ledger.sent)
            if heard != before:
                quiet_since_s, before = now_s, heard
            ticks += 1
            coming = self._sending or self._cycles < self._job.cycles
            if coming or now_s * 1e9 < ledger.until_ns:
                if ticks % _TICKS_UNTIL_NUDGE == 0:
                    for talk in self._talks:
                        talk.nudge()
                continue
            quiet_s = now_s - max(quiet_since_s, ledger.until_ns / 1e9)
            if quiet_s > self._job.quiet_s or not any(talk.open(acks) for talk in self._talks):
                return


async def _connect_all(links: Sequence[Link], urls: Sequence[str]) -> None:
    several = len(links) > _LINKS_PER_SOURCE
    ends = list(zip(links, urls, strict=True))
    for first in range(0, len(ends), _TOGETHER):
        source = f"127.0.0.{2 + first // _LINKS_PER_SOURCE}" if several else None
        async with asyncio.TaskGroup() as group:
            for link, url in ends[first : first + _TOGETHER]:
                group.create_task(link.connect(url, source))


async def main(socket: str) -> None:
    """Do the one job that comes over the socket, until told to stop."""
    reader, writer = await asyncio.open_unix_connection(socket)
    job: Job = await post.receive(reader)
    if job.background:
        os.nice(_NICE)
    worker = Worker(job, writer)
    beating: asyncio.Task[None] | None = None
    idle = not job.pairs and not job.cycles
    try:
        await worker.connect()
        post.send(writer, "ready")
        start_ns = await post.receive(reader)
        beating = asyncio.create_task(worker.beat())
        if not idle:
            post.send(writer, await worker.work(start_ns))
        await post.receive(reader)  # the word to stop
        if idle:
            post.send(writer, worker.report())
        await writer.drain()
    except* BenchError as errors:
        post.send(writer, _first(errors))
        await writer.drain()
    finally:
        if beating is not None:
            beating.cancel()


def _first(errors: BaseExceptionGroup[BenchError]) -> BenchError:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, BenchError)
    return first


if __name__ == "__main__":
    try:
        uvloop.run(main(sys.argv[1]))
    except (EOFError, KeyboardInterrupt):
        sys.exit(1)
