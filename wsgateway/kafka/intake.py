"""What is read from a gateway's topic, until it is settled: delivered, passed on, or dead."""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial

from aiokafka import ConsumerRecord

from wsgateway.errors import BrokerUnavailable, Overloaded
from wsgateway.fate import Fate, Kept
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.mailbox import Letter, Reason
from wsgateway.kafka.mailboxes import Mailboxes
from wsgateway.kafka.offsets import Progress
from wsgateway.kafka.publisher import MAX_ENVELOPE_BYTES, Publisher, Record, Written
from wsgateway.protocol import Status
from wsgateway.routers.base import Deliver

log = logging.getLogger(__name__)

# Why: what is open is in memory. Beyond this the reader pauses; three users' full mailboxes fit.
# 原因：未处理的都在内存里。超过上限就暂停读取；三个用户装满的信箱也放得下。
MAX_OPEN = 60_000
MAX_OPEN_BYTES = 64 << 20
_BURY_AGAIN_S = 1.0
_MAX_KEY_BYTES = 64  # of a user id; other programs may write what they like


class Intake:
    """The open letters of one gateway's topic.

    Args:
        gateway_id: whose topic it is.
        dead_letters: the topic for what cannot be delivered.
        publisher: writes there.
        deliver: takes each envelope.
        counts: counters to keep.
        addressee: given to `deliver`: None for our own topic.
        patience_s: seconds a letter waits for its user.
        expiry_s: seconds after which a letter is not worth delivering.
    """

    def __init__(
        self,
        gateway_id: str,
        dead_letters: str,
        publisher: Publisher,
        deliver: Deliver,
        counts: KafkaCounts,
        *,
        addressee: str | None,
        patience_s: float,
        expiry_s: float,
    ) -> None:
        self._gateway_id = gateway_id
        self._dead_letters = dead_letters
        self._publisher = publisher
        self._deliver = deliver
        self._counts = counts
        self._addressee = addressee
        self._loop = asyncio.get_running_loop()
        self._mailboxes = Mailboxes(
            self._hand_over,
            self._finish,
            patience_s=patience_s,
            expiry_s=expiry_s,
            clock=self._loop.time,
            wall=time.time,
            call_later=self._loop.call_later,
        )
        self._progress: dict[int, Progress] = {}
        self._open = 0
        self._open_bytes = 0
        self._closed = False
        self.room = asyncio.Event()
        self.room.set()

    def __len__(self) -> int:
        """Letters that are not settled."""
        return self._open

    @property
    def held(self) -> int:
        """Of those, the ones that wait for their user."""
        return self._mailboxes.held

    def begin(self, positions: Mapping[int, int]) -> None:
        """Note where reading begins."""
        self._progress = {number: Progress(at) for number, at in positions.items()}

    def take(self, record: ConsumerRecord) -> None:
        """Take one record, in order per partition."""
        if record.partition not in self._progress:  # added since the reading began
            self._progress[record.partition] = Progress(record.offset)
        self._progress[record.partition].read(record.offset)
        data = record.value or b""
        letter = Letter(record.partition, record.offset, record.key or b"", data, record.timestamp)
        size = _size(letter)
        self._open += 1
        self._open_bytes += size
        if size > MAX_ENVELOPE_BYTES:
            log.warning("dropped %d bytes from a topic: too big for an envelope", size)
            self._finish(letter, Reason.TOO_BIG)
        else:
            self._mailboxes.take(letter)
        if self._open >= MAX_OPEN or self._open_bytes >= MAX_OPEN_BYTES:
            self.room.clear()

    def uncommitted(self) -> dict[int, int]:
        """Return the offsets to commit, of the partitions where that is news."""
        return {
            number: progress.committable
            for number, progress in self._progress.items()
            if progress.committable != progress.committed
        }

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Note that these are committed."""
        for number, offset in offsets.items():
            self._progress[number].committed = offset

    def aclose(self) -> None:
        """Offer nothing any more; what is open is read again by whoever reads next."""
        self._closed = True
        self._mailboxes.aclose()

    def _hand_over(self, data: bytes, kept: Kept) -> None:
        try:
            self._deliver(data, kept, addressee=self._addressee)
        except Exception:  # a bug; it must cost one envelope, not this gateway's hearing
            log.exception("an envelope was not taken in")
            kept.settle(Fate.MALFORMED)

    def _finish(self, letter: Letter, reason: Reason | None) -> None:
        if reason is None:
            self._settle(letter)
        elif reason is Reason.EXPIRED:
            self._counts.expired += 1
            self._settle(letter)
        else:
            self._bury(letter, reason)

    def _bury(self, letter: Letter, reason: Reason) -> None:
        """Write a dead letter; only when the brokers hold it is the original settled."""
        if self._closed:
            return
        headers = (
            ("reason", reason.value.encode()),
            ("gateway", self._gateway_id.encode()),
            ("partition", b"%d" % letter.partition),
            ("offset", b"%d" % letter.offset),
        )
        # What is too big for an envelope is too big for this topic too: only its size is kept.
        too_big = reason is Reason.TOO_BIG
        key, data = (letter.user[:_MAX_KEY_BYTES], b"") if too_big else (letter.user, letter.data)
        size = ("bytes", b"%d" % _size(letter))
        try:
            self._publisher.publish(
                self._dead_letters,
                Record(key, data, (*headers, size)),
                partial(self._buried, letter, reason),
            )
        except Overloaded:
            self._loop.call_later(_BURY_AGAIN_S, self._bury, letter, reason)

    def _buried(self, letter: Letter, reason: Reason, written: Written) -> None:
        if written is Status.ACCEPTED:
            self._counts.dead_letters += 1
            self._settle(letter)
        elif not isinstance(written, BrokerUnavailable):
            self._loop.call_later(_BURY_AGAIN_S, self._bury, letter, reason)

    def _settle(self, letter: Letter) -> None:
        self._progress[letter.partition].settle(letter.offset)
        self._open -= 1
        self._open_bytes -= _size(letter)
        if self._open < MAX_OPEN and self._open_bytes < MAX_OPEN_BYTES:
            self.room.set()


def _size(letter: Letter) -> int:
    return len(letter.user) + len(letter.data)
