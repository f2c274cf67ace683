"""Acts on each frame that comes from the gateway."""

import asyncio
import logging
import time
from collections.abc import Callable

from wsgateway.client import frames
from wsgateway.client.events import Event, LateFailure, Message
from wsgateway.client.inbox import Inbox
from wsgateway.client.pending import Pending
from wsgateway.dedup import RecentIds
from wsgateway.protocol import Ack, Delivery

log = logging.getLogger(__name__)


class Intake:
    """Gives messages to the inbox, answers to the pending sends, the rest to `emit`.

    Args:
        user: the recipient of all messages here.
        pending: sends that wait for an answer.
        inbox: takes messages.
        emit: takes events.
    """

    def __init__(
        self, user: str, pending: Pending, inbox: Inbox, emit: Callable[[Event], None]
    ) -> None:
        self._user = user
        self._pending = pending
        self._inbox = inbox
        self._emit = emit
        self.duplicates = 0
        # Why: a router that loses nothing repeats: what a gateway had written when it was killed,
        # but not yet noted as done, comes again, from itself or another. Only the client has
        # seen both copies. It remembers as much as a gateway does.
        # 原因：不丢消息的路由器会重发：网关被杀时已写出、却还没记为完成的，会由它自己或别的网关
        # 再送一次。两份都见过的只有客户端。它记住的量与网关相同。
        self._recent = RecentIds(max_ids=10_000, max_age_s=600.0)

    def take(self, data: bytes) -> None:
        """Act on one raw frame. What is not a known frame is logged and ignored."""
        try:
            frame = frames.decode(data)
        except ValueError as error:
            log.warning("ignored a frame of %d bytes from the gateway: %s", len(data), error)
            return
        now_s = asyncio.get_running_loop().time()
        if isinstance(frame, Delivery):
            self._deliver(frame, now_s)
        elif isinstance(frame, Ack):
            self._pending.acked(frame.id, frame.status, now_s)
        elif isinstance(frame, frames.Refusal):
            self._refused(frame, now_s)

    def _deliver(self, frame: Delivery, now_s: float) -> None:
        if frame.id is not None and not self._recent.add(
            (frame.sender, self._user, frame.id), now_s
        ):
            self.duplicates += 1
            log.debug("suppressed a repeat of message %s", frame.id)
            return
        trace = None if frame.trace is None else tuple(frame.trace)
        received_us = time.time_ns() // 1000
        self._inbox.put(Message(frame.sender, frame.content, frame.id, trace, received_us))

    def _refused(self, frame: frames.Refusal, now_s: float) -> None:
        if frame.reply_to is None:
            log.warning("the gateway refused a frame: %s: %s", frame.code, frame.message)
        elif not self._pending.refused(frame.reply_to, frame.code, frame.message, now_s):
            self._emit(LateFailure(frame.reply_to, frame.code))
