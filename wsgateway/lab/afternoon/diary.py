"""What was written down of one afternoon in one mode, and what can be read from it. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wsgateway.lab.afternoon.script import Due, Mode, Trouble
from wsgateway.lab.ledger import PROMISED, Ledger, Totals
from wsgateway.protocol import Status


@dataclass(slots=True)
class Letter:
    """One message; all times in seconds since the beginning.

    Args:
        due: when it was to be sent, by whom, and what it is.
        status: what the sender was told, late news included; None: nothing yet.
        told_s: when.
        arrived_s: when the recipient had it first.
    """

    due: Due
    status: Status | None = None
    told_s: float = math.inf
    arrived_s: float = math.inf

    @property
    def delay_s(self) -> float:
        """From the moment it was due to its arrival, seconds; infinite if it never came."""
        # Why: from when it was due and not from when it was written. Whoever waits for a broker
        # before he can write waits too (elsewhere called coordinated omission).
        # 原因：从该发的时刻算起，而不是从写出的时刻。等消息代理恢复才写得出去，那也是在等
        # （不这样算，就叫“协调遗漏”，coordinated omission）。
        return self.arrived_s - self.due.at_s


@dataclass(frozen=True, slots=True)
class Outage:
    """A trouble as it really went: from when to when, seconds; `done` says what was done."""

    trouble: Trouble
    begin_s: float
    end_s: float
    done: str


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of the receiver's topic not committed `at_s`; None: the broker did not answer."""

    at_s: float
    records: int | None


@dataclass(slots=True)
class Diary:
    """One afternoon in one mode.

    Args:
        mode: "redis" or "kafka".
        broker: what carried the messages.
        letters: all messages, in the order they were due.
        arrivals: numbers of letters as they arrived, repeats too.
        outages: what went wrong.
        lags: of the receiver's topic; none on Redis, which keeps nothing.
        repeats: arrivals that the recipients' clients recognised by their id and suppressed.
    """

    mode: Mode
    broker: str
    letters: list[Letter]
    arrivals: list[int] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    lags: list[Lag] = field(default_factory=list)
    repeats: int = 0

    def of(self, *kinds: str) -> list[Letter]:
        """Return the letters of these kinds; of all, if none is named."""
        return [letter for letter in self.letters if not kinds or letter.due.kind.name in kinds]

    def totals(self, *kinds: str) -> Totals:
        """Return the ledger of these kinds; of all, if none is named."""
        ledger, numbers = Ledger(), {}
        for number, letter in enumerate(self.letters):
            if kinds and letter.due.kind.name not in kinds:
                continue
            pair = (letter.due.sender, letter.due.recipient)
            numbers[number] = ledger.sent(pair)
            if letter.status is not None:
                ledger.answered(pair, numbers[number], letter.status)
        for number in self.arrivals:
            if number in numbers:
                due = self.letters[number].due
                ledger.arrived((due.sender, due.recipient), numbers[number])
        return ledger.totals()

    def stale(self, kind: str) -> int:
        """Return how many of a kind arrived when they were worse than nothing."""
        return sum(
            letter.due.kind.fresh_s is not None
            and letter.due.kind.fresh_s < letter.delay_s < math.inf
            for letter in self.of(kind)
        )

    def answers(self, outage: Outage, *kinds: str) -> Counter[str]:
        """Return what senders were told of letters due during an outage: status -> how many."""
        return Counter(
            str(one.status)
            for one in self.of(*kinds)
            if outage.begin_s <= one.due.at_s < outage.end_s
        )

    def lags_during(self, outage: Outage) -> list[int]:
        """Return the lags seen during an outage, where the broker told any."""
        return [
            lag.records
            for lag in self.lags
            if lag.records is not None and outage.begin_s < lag.at_s < outage.end_s
        ]

    def waiting_at(self, times_s: Iterable[float], *kinds: str) -> list[int]:
        """Return how many messages were promised by each moment and had not arrived by then."""
        promised = [one for one in self.of(*kinds) if one.status in PROMISED]
        return [sum(one.told_s <= at_s < one.arrived_s for one in promised) for at_s in times_s]

    @property
    def lasted_s(self) -> float:
        """When the last message was told of, or arrived, seconds."""
        ends = [one for x in self.letters for one in (x.told_s, x.arrived_s) if one < math.inf]
        return max(ends)


def sooner(diaries: Mapping[Mode, Diary], before_s: float) -> Counter[Mode]:
    """Return which mode had each message first, of those due before `before_s`: mode -> count.

    Args:
        diaries: mode -> its diary, all of the same script and seed.
        before_s: seconds since the beginning.
    """
    # Why: pair by pair, as both lived through the same moments: a busy machine slows both.
    # 原因：一对一对地比，因为两边经历的是同样的时刻；机器一忙，两边都会慢。
    first: Counter[Mode] = Counter()
    for pair in zip(*(diary.letters for diary in diaries.values()), strict=True):
        delays = [letter.delay_s for letter in pair]
        if pair[0].due.at_s < before_s and max(delays) < math.inf:
            first[list(diaries)[delays.index(min(delays))]] += 1
    return first
