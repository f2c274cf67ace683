"""Letters wait here for users who are not there: one mailbox per user, in order. No I/O.

Everyone else's letters pass. A mailbox exists only while its user has letters that are not settled.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wsgateway.backoff import full_jitter
from wsgateway.fate import Fate, Kept
from wsgateway.kafka.mailbox import Letter, Mailbox, Reason, Timer

_RETRY_BASE_S = 0.05
_RETRY_CAP_S = 1.0
# Why: more than any burst a user misses while his gateway restarts, yet a bound: 20,000 letters
# of 64 KiB would not fit, so bytes count too.
# 原因：足够装下用户等网关重启时错过的一阵突发，又有上限；
# 20,000 封 64 KiB 的信装不进内存，所以字节数也要计。
MAX_LETTERS = 20_000
MAX_BYTES = 16 << 20


class Mailboxes:
    """All mailboxes of one topic.

    Args:
        deliver: hands a letter to the gateway.
        finish: told a letter is over: no reason when settled, else why it is dead.
        patience_s: seconds a letter waits for its user.
        expiry_s: seconds after which a letter is not worth delivering.
        clock: seconds, monotonic.
        wall: seconds since the Unix epoch.
        call_later: as `loop.call_later`.
    """

    def __init__(
        self,
        deliver: Callable[[bytes, Kept], None],
        finish: Callable[[Letter, Reason | None], None],
        *,
        patience_s: float,
        expiry_s: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._deliver = deliver
        self._finish = finish
        self._patience_s = patience_s
        self._expiry_s = expiry_s
        self._clock = clock
        self._wall = wall
        self._call_later = call_later
        self._boxes: dict[bytes, Mailbox] = {}
        self._rng = random.Random()
        self._closed = False

    @property
    def held(self) -> int:
        """Letters that wait for their user."""
        return sum(len(box.waiting) + len(box.failed) for box in self._boxes.values())

    def take(self, letter: Letter) -> None:
        """Deliver `letter`, or put it behind those that wait for the same user."""
        box = self._boxes.get(letter.user)
        if box is None:
            box = self._boxes[letter.user] = Mailbox()
        if not box.held:
            self._offer(box, letter)
            self._turn(box, letter.user)
        elif len(box.waiting) >= MAX_LETTERS or box.waiting_bytes >= MAX_BYTES:
            self._finish(letter, Reason.OVERFLOW)
        else:
            box.waiting.append(letter)
            box.waiting_bytes += len(letter.data)

    def aclose(self) -> None:
        """Offer nothing any more; what waits stays unsettled."""
        self._closed = True
        for box in self._boxes.values():
            if box.timer is not None:
                box.timer.cancel()

    def _offer(self, box: Mailbox, letter: Letter) -> None:
        if self._wall() - letter.time_ms / 1000 > self._expiry_s:
            self._finish(letter, Reason.EXPIRED)
            return
        box.in_flight += 1
        box.in_flight_bytes += len(letter.data)
        self._deliver(letter.data, _Offer(self, box, letter))

    def settled(self, box: Mailbox, letter: Letter, fate: Fate) -> bool:
        """Take the fate of a letter that was offered; return whether it will be again."""
        box.in_flight -= 1
        box.in_flight_bytes -= len(letter.data)
        box.recalls.pop(letter.offset, None)
        kept = self._keeps(box, fate)
        if kept:
            box.failed.append(letter)
            recalls, box.recalls = box.recalls, {}
            for recall in recalls.values():
                recall()
        else:
            self._finish(letter, None if fate is Fate.DONE else Reason(fate.value))
        self._turn(box, letter.user)
        return kept

    def let_pass(self, box: Mailbox, letter: Letter, recall: Callable[[], None]) -> None:
        """Offer what is behind `letter`, though it is not settled: it waits for one of them."""
        box.recalls[letter.offset] = recall
        if box.opened or self._closed:
            return
        box.opened = True
        if not box.waiting:
            return
        # Why: in the next turn of the loop. Whoever says so is still busy with the first.
        # 原因：放到下一轮事件循环。说这话的一方还在处理第一封信。
        box.timer = self._call_later(0.0, partial(self._pass, box, letter.user))

    def _pass(self, box: Mailbox, user: bytes) -> None:
        box.timer = None
        if not box.failed:
            self._release(box)
        self._turn(box, user)

    def _keeps(self, box: Mailbox, fate: Fate) -> bool:
        """Whether a letter with this fate is offered again."""
        if fate is Fate.DONE:
            # Why: a fence behind a letter is done long before its user is found. Were the pause to
            # begin anew with it, each attempt would send the next fence, thirty in a second.
            # 原因：信后面的栅栏早就处理完了，用户却还没找到。若因此重置等待时间，
            # 每次重试都会再发一个栅栏，一秒三十个。
            if not (box.failed or box.in_flight):
                box.away_s, box.attempts = None, 0
            return False
        if fate is Fate.MALFORMED:
            return False
        # Why: "cannot be decided now" is no verdict on the user. Only who is known to be nowhere
        # runs out of patience.
        # 原因：“现在无法判断”并不是对用户的结论；只有确知哪里都不在的用户，等待才会到期。
        if fate is Fate.UNKNOWN or self._closed:
            return True
        now_s = self._clock()
        box.away_s = now_s if box.away_s is None else box.away_s
        return now_s - box.away_s < self._patience_s

    def _turn(self, box: Mailbox, user: bytes) -> None:
        """Once all that was offered is settled: let the next go, or try again in a while."""
        if box.offering or box.timer is not None or self._closed:
            return
        if box.in_flight:
            if not (box.failed or box.attempts):
                self._release(box)
            return
        box.opened = False
        # Why: only when nothing of this user is under way. Until then what has failed is not
        # complete, and a later letter would be offered before an earlier one.
        # 原因：必须等该用户没有任何在途的信。否则失败的还没收齐，后面的信会抢在前面的之前重发。
        if not box.failed:
            self._release(box)
        if box.failed and not box.in_flight:
            self._retry_later(box, user)
        elif not (box.waiting or box.in_flight):
            self._boxes.pop(user, None)

    def _release(self, box: Mailbox) -> None:
        """Offer all that wait, in order, as long as none fails."""
        box.offering = True
        while box.waiting and not box.failed and box.has_room:
            self._offer(box, self._pop(box))
        box.offering = False

    def _retry_later(self, box: Mailbox, user: bytes) -> None:
        box.waiting.extendleft(sorted(box.failed, key=_offset, reverse=True))
        box.waiting_bytes += sum(len(letter.data) for letter in box.failed)
        box.failed.clear()
        box.opened = False
        pause_s = full_jitter(box.attempts, base_s=_RETRY_BASE_S, cap_s=_RETRY_CAP_S, rng=self._rng)
        box.attempts += 1
        box.timer = self._call_later(pause_s, partial(self._retry, box, user))

    def _retry(self, box: Mailbox, user: bytes) -> None:
        # Why: only the first. While its user is away, the others would fail one by one.
        # 原因：只试第一封。用户不在时，其余的只会逐一失败。
        box.timer = None
        self._offer(box, self._pop(box))
        self._turn(box, user)

    def _pop(self, box: Mailbox) -> Letter:
        letter = box.waiting.popleft()
        box.waiting_bytes -= len(letter.data)
        return letter


@dataclass(frozen=True, slots=True)
class _Offer:
    """Implements `Kept` for one letter."""

    boxes: Mailboxes
    box: Mailbox
    letter: Letter

    def wanted(self) -> bool:
        # Why: of what was offered together, all that follows a failed letter must come back too,
        # or it would overtake it: the user may have returned in between.
        # 原因：一起交出去的信里，只要有一封失败，排在它后面的都要退回，
        # 否则用户恰好此时回来，后面的就会超到前面去。
        return not self.box.failed

    def again(self) -> bool:
        return self.box.attempts > 0

    def waits(self, recall: Callable[[], None]) -> None:
        self.boxes.let_pass(self.box, self.letter, recall)

    def settle(self, fate: Fate) -> bool:
        return self.boxes.settled(self.box, self.letter, fate)


def _offset(letter: Letter) -> int:
    return letter.offset
