"""The pairs of one load process at work: what they send, when, and what they hear."""

import time
from collections import Counter

from wsgateway.bench.dialect import Dialect, Frame, Heard
from wsgateway.bench.link import Link
from wsgateway.bench.plan import Job, Report
from wsgateway.bench.shape import MOST_LATENCIES
from wsgateway.bench.tally import Tally

# Acks that say where the message is; any other status says that it is nowhere.
_GOOD = frozenset(("delivered", "routed", "accepted", ""))


class Sample:
    """Numbers, of which at most twice `most` are kept, evenly spaced in time.

    Args:
        most: how many are enough.
    """

    def __init__(self, most: int = MOST_LATENCIES) -> None:
        self.kept: list[int] = []
        self._most = most
        self._every = 1
        self._since = 0

    def add(self, number: int) -> None:
        """Keep the number, or every so many-th of them."""
        self._since += 1
        if self._since >= self._every:
            self._since = 0
            self.kept.append(number)
            if len(self.kept) >= 2 * self._most:
                self.kept = self.kept[1::2]
                self._every *= 2


class Ledger:
    """What all pairs of a process count together.

    Args:
        job: the work.
        start_ns: when it starts, `time.monotonic_ns`.
    """

    def __init__(self, job: Job, start_ns: int) -> None:
        self.from_ns = start_ns + int(job.warmup_s * 1e9)
        self.until_ns = self.from_ns + int(job.duration_s * 1e9)
        self.sent = self.received = self.delivered = self.answered = self.held = 0
        self.refused: Counter[str] = Counter()
        self.latencies_ns = Sample()
        self.lateness_ns = Sample()

    def arrived(self, due_ns: int) -> None:
        """Note a message that is here for the first time."""
        now_ns = time.monotonic_ns()
        self.received += 1
        if self.from_ns <= now_ns < self.until_ns:
            self.delivered += 1
            if due_ns >= self.from_ns:
                self.latencies_ns.add(now_ns - due_ns)


class Talk:
    """A sender and a recipient, with numbered messages between them.

    Args:
        dialect: how they talk.
        job: the work.
        sender, recipient: both ends, connected.
    """

    def __init__(self, dialect: Dialect, job: Job, sender: Link, recipient: Link) -> None:
        self.tally = Tally()
        self.answers = Tally()
        self.sender, self.recipient = sender, recipient
        self.next = 0
        self._message = dialect.message
        self._size, self._in_flight = job.size_bytes, job.in_flight
        self._closed_loop = job.rate_per_s is None
        self._padding = "x" * job.size_bytes
        self._given_up = -1
        self._seen = -1
        self._ledger: Ledger

    def start(self, ledger: Ledger) -> None:
        """Count in `ledger` from now on; in a closed loop, send the first messages."""
        self._ledger = ledger
        self.sender.hear = self._answer
        self.recipient.hear = self._receive
        if self._closed_loop:
            self._top_up()

    def send(self, count: int, due_ns: int) -> None:
        """Send so many messages; those for which the socket has no room are counted as held."""
        if self.sender.full:
            self._ledger.held += count
            return
        first, self.next = self.next, self.next + count
        to, size, padding = self.recipient.user, self._size, self._padding
        self.sender.write(
            [
                self._message(to, f"{number} {due_ns} {padding}"[:size], str(number))
                for number in range(first, self.next)
            ]
        )
        self._ledger.sent += count

    def nudge(self) -> None:
        """Call now and then: a pair that has heard nothing since the last call sends anew.

        So a closed loop goes on although all its messages are lost; they still count as lost.
        """
        progress = self.tally.highest
        if self._closed_loop and progress == self._seen:
            self._given_up = self.next - 1
            self._top_up()
        self._seen = progress

    def open(self, acks: bool) -> bool:
        """Whether a message or an answer is still to come."""
        missing = self.tally.lost(self.next) > 0
        return missing or (acks and self.answers.lost(self.next) > 0)

    def _top_up(self) -> None:
        # Why: counted from the highest number heard and not from how many: what is lost before it
        # makes room too, so that a server that loses messages is not stopped by that.
        # 原因：窗口从收到的最大编号算起，而不按收到的条数：排在它前面丢了的也让出位置，
        # 丢消息的服务器不会因此停下来。
        now_ns = time.monotonic_ns()
        heard = max(self.tally.highest, self._given_up)
        room = heard + 1 + self._in_flight - self.next
        if room > 0 and now_ns < self._ledger.until_ns:
            self.send(room, now_ns)

    def _receive(self, frame: Frame, more: bool) -> None:
        if frame.kind is Heard.MESSAGE:
            number, due_ns, _ = frame.text.split(" ", 2)
            if self.tally.hear(int(number)):
                self._ledger.arrived(int(due_ns))
        if self._closed_loop and not more:
            self._top_up()

    def _answer(self, frame: Frame, more: bool) -> None:
        if frame.kind is Heard.MESSAGE or frame.kind is Heard.READY:
            return
        # Why: an ack may be followed by bad news of the same message. That is a second frame and no
        # second answer, so answers are accounted for by number, as messages are.
        # 原因：确认之后，同一条消息还可能来一个坏消息。那是第二帧，不是第二个应答，
        # 因此应答也像消息一样按编号记账。
        number = int(frame.id) if frame.id is not None and frame.id.isdigit() else None
        if number is not None and self.answers.hear(number):
            self._ledger.answered += 1
        bad = frame.kind is Heard.REFUSED or frame.text not in _GOOD
        if bad and (number is None or number not in self.tally.refused):
            self._ledger.refused[frame.text] += 1
            if number is not None:
                self.tally.refuse(number)


def report(
    job: Job, talks: list[Talk], ledger: Ledger, closed: dict[str, int], cycles: int = 0
) -> Report:
    """Return what a process counted."""
    unanswered = sum(talk.answers.lost(talk.next) for talk in talks)
    return Report(
        group=job.group,
        sent=ledger.sent,
        delivered=ledger.delivered,
        lost=sum(talk.tally.lost(talk.next) for talk in talks),
        doubled=sum(talk.tally.doubled for talk in talks),
        reordered=sum(talk.tally.reordered for talk in talks),
        unanswered=unanswered if job.dialect.acks else 0,
        held=ledger.held,
        refused=dict(ledger.refused),
        closed=closed,
        latencies_ms=sorted(ns / 1e6 for ns in ledger.latencies_ns.kept),
        lateness_ms=sorted(ns / 1e6 for ns in ledger.lateness_ns.kept),
        cycles=cycles,
    )
