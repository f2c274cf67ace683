"""Messages whose fate is not known yet: when each is due, and what an answer means. Pure."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.client.errors import SendRefused
from wsgateway.client.options import Options
from wsgateway.errors import ErrorCode
from wsgateway.protocol import Status

Outcome = Status | Exception

_RETRIED = (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED)


@dataclass(slots=True)
class _Entry:
    message_id: str
    to: str
    frame: bytes
    on_outcome: Callable[[Outcome], None]
    due_s: float = 0.0  # in flight: when the answer is overdue; else: when to write it
    in_flight: bool = False
    doubtful: bool = False  # an earlier attempt may have arrived
    failures: int = 0


class Pending:
    """The unanswered messages of one client, oldest first. Every attempt keeps its id.

    Args:
        options: the times.
        rng: source of randomness.
        on_due: called when `take` may have something sooner than `next_due_s` said.
    """

    def __init__(self, options: Options, rng: random.Random, on_due: Callable[[], None]) -> None:
        self._options = options
        self._rng = rng
        self._on_due = on_due
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._entries

    def add(
        self, message_id: str, to: str, frame: bytes, on_outcome: Callable[[Outcome], None]
    ) -> None:
        """Take a message to be written.

        Args:
            message_id: not used by another pending message.
            to: the recipient.
            frame: the encoded frame.
            on_outcome: told, once, the status or the exception it ended with.
        """
        self._entries[message_id] = _Entry(message_id, to, frame, on_outcome)
        self._on_due()

    def remove(self, message_id: str) -> None:
        """Forget a message (its sender waits no longer); nothing if it is settled."""
        if self._entries.pop(message_id, None) is not None:
            self._on_due()  # it may have held back others

    def take(self, now_s: float) -> bytes | None:
        """Return the next frame to write now and count it as written, or None."""
        for entry in self._movable():
            if entry.due_s <= now_s:
                entry.doubtful = entry.doubtful or entry.in_flight
                entry.in_flight = True
                entry.due_s = now_s + self._options.answer_timeout_s
                return entry.frame
        return None

    def next_due_s(self) -> float | None:
        """Return when `take` will have something again, unless more is added; None for never."""
        return min((entry.due_s for entry in self._movable()), default=None)

    def acked(self, message_id: str, status: Status, now_s: float) -> None:
        """An ack came; one for a message no longer pending changes nothing."""
        entry = self._entries.get(message_id)
        if entry is None:
            return
        if status is Status.UNKNOWN:
            entry.doubtful = True
            self._retry(entry, now_s)
        elif status is Status.OFFLINE and entry.doubtful:
            # Why: the recipient is gone now, but an earlier attempt may have reached it. Saying
            # `offline` would count one message both as delivered and as never arrived.
            # 原因：收件人此刻不在，但之前某次尝试可能已送达。若仍报 `offline`，
            # 同一条消息就会既算送达又算未送达。
            self._settle(entry, Status.UNKNOWN)
        else:
            self._settle(entry, status)

    def refused(self, message_id: str, code: str, message: str, now_s: float) -> bool:
        """An error frame came; return False if it is about no pending message."""
        entry = self._entries.get(message_id)
        if entry is None:
            return False
        if code in _RETRIED:
            self._retry(entry, now_s)
        elif code in (Status.OFFLINE, Status.UNKNOWN):
            # The report of the recipient's gateway overtook the ack of our own.
            self.acked(message_id, Status(code), now_s)
        else:
            self._settle(entry, SendRefused(code, message))
        return True

    def lost(self) -> None:
        """The connection is gone: all that was in flight is written again on the next one."""
        for entry in self._entries.values():
            if entry.in_flight:
                entry.in_flight = False
                entry.doubtful = True
                entry.due_s = 0.0

    def end(self, outcome: Outcome) -> None:
        """Settle everything with one outcome."""
        for entry in list(self._entries.values()):
            self._settle(entry, outcome)

    def _movable(self) -> Iterator[_Entry]:
        # Why: messages to one user arrive in order, so one that waits for its retry holds back
        # those behind it that are not written yet. To other users nothing waits.
        # 原因：发给同一用户的消息要保持顺序，因此等待重试的消息会挡住其后尚未写出的消息；
        # 发给其他用户的不受影响。
        waiting: set[str] = set()
        for entry in self._entries.values():
            if entry.in_flight:
                yield entry
            elif entry.to not in waiting:
                waiting.add(entry.to)
                yield entry

    def _retry(self, entry: _Entry, now_s: float) -> None:
        delay_s = self._options.backoff_s(entry.failures, self._rng)
        entry.failures += 1
        entry.in_flight = False
        entry.due_s = now_s + delay_s
        self._on_due()

    def _settle(self, entry: _Entry, outcome: Outcome) -> None:
        del self._entries[entry.message_id]
        if not entry.in_flight:
            self._on_due()  # it may have held back others
        entry.on_outcome(outcome)
