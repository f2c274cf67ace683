"""Calls to one Redis server: many at once on one connection, each answered exactly once."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool

from wsgateway import tasks
from wsgateway.errors import RedisUnavailable
from wsgateway.redis.wire import Command, Wire

log = logging.getLogger(__name__)

Answer = list[Any] | RedisUnavailable


@dataclass(slots=True, eq=False)
class _Call:
    commands: Sequence[Command]
    done: Callable[[Answer], None]
    due_s: float = 0.0
    replies: list[Any] = field(default_factory=list)


class Link:
    """One server. Its connection is made by the first call, and by the first after a loss.

    Nothing is ever sent twice: when the connection ends, every call on it fails, once, and nobody
    can say which of them were executed.

    Args:
        pool: knows where and how.
        timeout_s: bound on dialling, and on each answer, seconds.
    """

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._wire: Wire | None = None
        self._calls: deque[_Call] = deque()
        self._dialling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def call(self, commands: Sequence[Command], done: Callable[[Answer], None]) -> None:
        """Send commands in one piece; `done` hears all their replies at once, later.

        Calls are answered in order. A command that is refused has a `hiredis.ReplyError` as its
        reply; no answer is a `RedisUnavailable` for all of them.
        """
        # Why: no bound here. A batch waits for its answer before the next one is sent, so there
        # are never more calls than batchers and channels.
        # 原因：这里不设上限。每一批都要等到应答才发下一批，调用数不会超过批处理器和频道的个数。
        call = _Call(commands, done)
        if self._closed:
            self._loop.call_soon(_tell, call, RedisUnavailable("the gateway is stopping"))
            return
        self._calls.append(call)
        if self._wire is not None:
            self._send(self._wire, call)
        elif self._dialling is None:
            # Why: no backoff. Who asks is told the truth at once, and meanwhile the others wait
            # in their batches: never more than one attempt at a time.
            # 原因：不做退避。谁来问就立刻如实答复；其余的都在各自的批里等，同一时刻只拨一次。
            self._dialling = asyncio.create_task(self._dial(), name="redis link: dial")

    def asking(self, commands: Sequence[Command]) -> "asyncio.Future[Answer]":
        """Send commands, see `call`; return the future of what `done` would hear."""
        asking: asyncio.Future[Answer] = self._loop.create_future()
        self.call(commands, partial(_settle, asking))
        return asking

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands; return their replies.

        Raises:
            RedisUnavailable: no answer; which of them were executed is not known.
        """
        answer = await self.asking(commands)
        if isinstance(answer, RedisUnavailable):
            raise answer
        return answer

    def cut(self, why: str) -> None:
        """End the connection: what is called next dials again."""
        if self._wire is not None:
            self._wire.fail(why)

    async def aclose(self) -> None:
        """Fail what is not answered, and disconnect. Safe to call twice."""
        self._closed = True
        if self._dialling is not None:
            await tasks.end(self._dialling)
        if self._wire is not None:
            self._wire.close()
        self._lost(RedisUnavailable("the gateway is stopping"))

    async def _dial(self) -> None:
        try:
            wire = await Wire.dial(self._pool, self._replied, self._lost, self._timeout_s)
        except RedisUnavailable as error:
            self._dialling = None
            self._lost(error)
            return
        self._dialling = None
        self._wire = wire
        for call in list(self._calls):
            self._send(wire, call)

    def _send(self, wire: Wire, call: _Call) -> None:
        call.due_s = self._loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(call.due_s, self._check, None)
        wire.write(call.commands)

    def _replied(self, reply: Any) -> None:
        if not self._calls:
            self.cut("it said more than it was asked")
            return
        call = self._calls[0]
        call.replies.append(reply)
        if len(call.replies) == len(call.commands):
            self._calls.popleft()
            _tell(call, call.replies)

    def _lost(self, error: RedisUnavailable) -> None:
        self._wire = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        calls, self._calls = self._calls, deque()
        for call in calls:
            _tell(call, error)

    def _check(self, suspect: _Call | None) -> None:
        """Cut the connection if its oldest call is overdue. One timer serves all calls."""
        self._timer = None
        if self._wire is None or not self._calls:
            return
        oldest = self._calls[0]
        now_s = self._loop.time()
        if oldest.due_s > now_s:
            self._timer = self._loop.call_at(oldest.due_s, self._check, None)
        elif oldest is not suspect:
            # Why: a process that was paused wakes to an expired timer and a full socket. One more
            # turn of the loop reads the socket first.
            # 原因：暂停过的进程醒来时，定时器已到期，而应答就在套接字里；再转一圈，先读套接字。
            self._timer = self._loop.call_later(0, self._check, oldest)
        else:
            self.cut(f"no answer in {self._timeout_s:g} s")


def refusal(reply: Any) -> str | None:
    """Return the text of a reply that is a refusal, or None."""
    return str(reply) if isinstance(reply, hiredis.ReplyError) else None


def _settle(asking: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not asking.done():  # or whoever asked was cancelled
        asking.set_result(answer)


def _tell(call: _Call, answer: Answer) -> None:
    try:
        call.done(answer)
    except Exception:  # a bug; it must cost one call, not the connection of all
        log.exception("an answer from Redis was not taken in")
