"""Messages read from the socket that the application has not taken yet. Bounded."""

import asyncio
from collections import deque
from collections.abc import Callable

from wsgateway.client.events import Message

OVERFLOW = 4


class Inbox:
    """A queue between the socket and the application; the reader stops when it is full.

    Args:
        size: messages at which reading stops.
        awaits_answers: whether the application waits for an ack right now.
    """

    # Why: acks and pongs come on the same TCP stream as messages, behind them. Should a full
    # inbox always stop the reader, `async for m in client: await client.send(...)` would wait
    # for an ack that nobody reads. So while a send waits, reading goes on into an overflow of
    # OVERFLOW x size; past that the reader stops for good, TCP slows the gateway down, and
    # sends run into their deadline and say `unknown`. Nothing is dropped here; a gateway that
    # loses patience closes with 4004 and reports what it could not write to the senders.
    # 原因：确认帧和 pong 与消息走同一条 TCP 流，排在消息后面。如果收件箱一满就停读，
    # `async for m in client: await client.send(...)` 会一直等一个没人去读的确认。
    # 因此有发送在等确认时继续读，最多超到 OVERFLOW x size；再多就彻底停读，由 TCP 反压网关，
    # 发送到期后如实返回 `unknown`。这里不丢任何消息；网关等不下去会以 4004 关闭，
    # 并把没写出的消息报告给发件人。
    def __init__(self, size: int, awaits_answers: Callable[[], bool]) -> None:
        self._size = size
        self._awaits_answers = awaits_answers
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self.whole = False  # the socket is at its end: all that is left of it is taken

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Add a message; the caller asks `has_room` before it reads the next."""
        self._messages.append(message)
        self._arrived.set()

    @property
    def has_room(self) -> bool:
        """Whether the reader may read on."""
        limit = self._size * (OVERFLOW if self._awaits_answers() else 1)
        return self.whole or len(self._messages) < limit

    def look_again(self) -> None:
        """Let a reader in `wait_for_room` look again: `has_room` may have changed."""
        self._room.set()

    async def wait_for_room(self) -> None:
        """Return once `has_room`."""
        while not self.has_room:
            self._room.clear()
            await self._room.wait()

    async def get(self) -> Message:
        """Return the oldest message, waiting for one.

        Raises:
            StopAsyncIteration: the client was left, and the inbox is empty.
            Exception: what ended the client, once the inbox is empty.
        """
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._room.set()
        return self._messages.popleft()

    def end(self, error: Exception | None) -> None:
        """No more will come, because of `error` if there is one."""
        self._ended = True
        self._error = error
        self._arrived.set()
