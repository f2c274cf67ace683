"""One registered socket: its reader, its writer, its heartbeat."""

import asyncio
import random
import select
import socket
from collections.abc import Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from wsgateway.client.frames import PING
from wsgateway.client.inbox import Inbox
from wsgateway.client.pending import Pending

# Three pings, as the gateway counts silence: one lost or late pong is no reason to leave.
SILENT_PINGS = 3


class Session:
    """Keeps one socket busy until it closes.

    Args:
        ws: an open socket on which the user is registered.
        pending: what to write.
        inbox: stops the reader when full.
        take: given each frame read, raw.
        ping_s: ping interval, seconds.
        rng: spreads the first ping.
    """

    def __init__(
        self,
        ws: ClientConnection,
        pending: Pending,
        inbox: Inbox,
        take: Callable[[bytes], None],
        *,
        ping_s: float,
        rng: random.Random,
    ) -> None:
        self._ws = ws
        self._pending = pending
        self._inbox = inbox
        self._take = take
        self._ping_s = ping_s
        self._rng = rng
        self._now_s = asyncio.get_running_loop().time
        self._heard_s = self._now_s()
        self._parked = False
        self._ping_due = False
        self._wake = asyncio.Event()
        self.silent = False
        self._peer_left = _watch(ws.transport.get_extra_info("socket"))
        inbox.whole = False

    def wake(self) -> None:
        """Let the writer look at `pending` again."""
        self._wake.set()

    async def run(self) -> None:
        """Read, write and ping until the socket is closed, by whom ever."""
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write())
            beating = tasks.create_task(self._beat())
            await self._read()
            writing.cancel()
            beating.cancel()

    async def _read(self) -> None:
        with suppress(ConnectionClosed):  # the way a socket ends; its code says how
            while True:
                data = await self._ws.recv(decode=False)
                self._heard_s = self._now_s()
                self._take(data)
                if not self._inbox.has_room:
                    self._parked = True
                    await self._inbox.wait_for_room()
                    self._parked = False
                    self._heard_s = self._now_s()

    async def _write(self) -> None:
        # Why: a failed write makes asyncio drop the socket with all that was not read from it:
        # messages the gateway counts as delivered, or the close code that says "replaced". So
        # nothing is written to a peer that has left; the reader takes the rest and ends the
        # session, also when the inbox is full: it is one socket buffer at most.
        # 原因：写失败会让 asyncio 连同没读完的数据一起丢掉套接字，其中有网关已算作送达的消息，
        # 也可能有表示“被取代”的关闭码。所以对端一走就不再写；收件箱满了也让读取方把剩下的
        # 取完再结束，最多不过一个套接字缓冲区。
        with suppress(ConnectionClosed):  # the reader sees the same and ends the session
            while not self._peer_left():
                self._wake.clear()
                if (frame := self._next_frame()) is not None:
                    await self._ws.send(frame, text=True)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._pending.next_due_s()):
                        await self._wake.wait()
        self._inbox.whole = True
        self._inbox.look_again()

    def _next_frame(self) -> bytes | None:
        if self._ping_due:
            self._ping_due = False
            return PING
        return self._pending.take(self._now_s())

    async def _beat(self) -> None:
        """Ask for a ping every interval; leave a gateway that has long said nothing."""
        # Why: clients that connected together, after a gateway died, would ping together for
        # ever; a random first interval spreads them.
        # 原因：网关挂掉后一起重连的客户端会永远同时发 ping；首个间隔随机即可错开。
        ping_at_s = self._now_s() + self._ping_s * self._rng.random()
        timeout_s = SILENT_PINGS * self._ping_s
        while True:
            due_s = ping_at_s if self._parked else min(ping_at_s, self._heard_s + timeout_s)
            await asyncio.sleep(due_s - self._now_s())
            now_s = self._now_s()
            # Why: the reader is parked, or this process itself slept: then the pongs lie unread
            # in a buffer, with messages the gateway counts as written. Read before judging.
            # 原因：读取已暂停，或本进程自己睡过了头：此时 pong 还在缓冲区里没读，
            # 网关以为已写出的消息也在其中。先读完再下结论。
            if self._parked or now_s - due_s > self._ping_s:
                self._heard_s = now_s
            elif now_s - self._heard_s >= timeout_s:
                self.silent = True
                self._ws.transport.abort()
                return
            if now_s >= ping_at_s:
                ping_at_s = now_s + self._ping_s
                self._ping_due = True
                self._wake.set()


def _watch(peer: socket.socket) -> Callable[[], bool]:
    """Return a function that says whether the other end of a socket has closed it."""
    if not hasattr(select, "poll"):  # Windows: there a failed write has to tell
        return lambda: False
    poll = select.poll()
    # Errors and hang-ups are always reported; Linux tells a plain end of stream only if asked.
    poll.register(peer, getattr(select, "POLLRDHUP", 0))
    return lambda: bool(poll.poll(0))
