"""Mailboxes, under every interleaving of letters, fates, timers and returning users."""

import heapq
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.fate import Fate, Kept
from wsgateway.kafka import mailboxes as module
from wsgateway.kafka.mailbox import Letter, Reason
from wsgateway.kafka.mailboxes import Mailboxes

PATIENCE_S = 10.0
EXPIRY_S = 600.0
USERS = (b"alice", b"bob", b"carol")
GARBAGE = b"garbage"


@dataclass(order=True)
class Alarm:
    """A timer of `World`."""

    at_s: float
    number: int
    ring: Callable[[], None] = field(compare=False)
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """A gateway as mailboxes see one: users come and go, fates are told at once or late.

    As in a gateway, letters of one user are tried in the order they were handed over, and a
    letter that is not wanted any more goes back.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.alarms: list[Alarm] = []
        self.numbers = itertools.count()
        self.users: dict[bytes, Fate] = dict.fromkeys(USERS, Fate.DONE)
        self.slow: set[bytes] = set()
        self.desks: dict[bytes, deque[tuple[Letter, Kept]]] = defaultdict(deque)
        self.reports: list[tuple[Letter, Kept]] = []
        self.offers = 0
        self.arrived: dict[bytes, list[int]] = defaultdict(list)
        self.finished: dict[Letter, list[Reason | None]] = defaultdict(list)
        self.letters: list[Letter] = []
        self.by_data: dict[bytes, Letter] = {}
        self.boxes = Mailboxes(
            self.deliver,
            lambda letter, reason: self.finished[letter].append(reason),
            patience_s=PATIENCE_S,
            expiry_s=EXPIRY_S,
            clock=lambda: self.now_s,
            wall=lambda: self.now_s,
            call_later=self.call_later,
        )

    def call_later(self, delay_s: float, ring: Callable[[], None]) -> Alarm:
        assert delay_s >= 0
        alarm = Alarm(self.now_s + delay_s, next(self.numbers), ring)
        heapq.heappush(self.alarms, alarm)
        return alarm

    def write(self, user: bytes, data: bytes = b"", *, age_s: float = 0.0) -> Letter:
        """A record is read from the topic."""
        number = len(self.letters)
        data += b"%d" % number
        letter = Letter(0, number, user, data, round((self.now_s - age_s) * 1000))
        self.letters.append(letter)
        self.by_data[data] = letter
        self.boxes.take(letter)
        return letter

    def deliver(self, data: bytes, kept: Kept) -> None:
        self.offers += 1
        letter = self.by_data[data]
        desk = self.desks[letter.user]
        desk.append((letter, kept))
        if letter.user not in self.slow:
            self.work(letter.user)

    def work(self, user: bytes, at_most: int | None = None) -> None:
        """The gateway gets to the letters of `user`."""
        desk = self.desks[user]
        while desk and at_most != 0:
            letter, kept = desk.popleft()
            at_most = None if at_most is None else at_most - 1
            if letter.data.startswith(GARBAGE):
                self.tell(letter, kept, Fate.MALFORMED)
            elif not kept.wanted():
                self.tell(letter, kept, Fate.UNKNOWN)
            elif self.users[user] is Fate.DONE:
                self.arrived[user].append(letter.offset)
                self.reports.append((letter, kept))
                if user not in self.slow:
                    self.report(len(self.reports) - 1)
            else:
                self.tell(letter, kept, self.users[user])

    def report(self, index: int) -> None:
        """An outbox has written what arrived."""
        self.tell(*self.reports.pop(index), Fate.DONE)

    def tell(self, letter: Letter, kept: Kept, fate: Fate) -> None:
        comes_again = kept.settle(fate)
        assert comes_again == (letter not in self.finished), "it either ends or comes again"

    def wait(self, seconds: float) -> None:
        """Time passes."""
        end_s = self.now_s + seconds
        while self.alarms and self.alarms[0].at_s <= end_s:
            alarm = heapq.heappop(self.alarms)
            self.now_s = max(self.now_s, alarm.at_s)
            if not alarm.cancelled:
                alarm.ring()
        self.now_s = end_s

    def settle_down(self) -> None:
        """Everybody returns, and all that is under way comes to its end."""
        self.users = dict.fromkeys(USERS, Fate.DONE)
        self.slow.clear()
        while any(self.desks.values()) or self.reports or self.alarms:
            for user in list(self.desks):
                self.work(user)
            while self.reports:
                self.report(0)
            self.wait(2.0)

    def reasons(self) -> Counter[Reason | None]:
        assert all(len(ends) == 1 for ends in self.finished.values()), "it ended twice"
        return Counter(ends[0] for ends in self.finished.values())


WHAT_MAY_HAPPEN = (
    *["write"] * 3,
    *("garbage", "away", "unsure", "back", "slow"),
    *("work", "work all", "report", "wait", "wait long"),
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(WHAT_MAY_HAPPEN),
        st.sampled_from(USERS),
        st.integers(0, 9),
    ),
    max_size=80,
)


def act(world: World, action: str, user: bytes, number: int) -> None:
    if action == "write":
        free = not (world.desks[user] or world.reports) and world.boxes.held == 0
        letter = world.write(user)
        if free and user not in world.slow and world.users[user] is Fate.DONE:
            assert letter in world.finished, "nothing was in its way"
    elif action == "garbage":
        world.write(user, GARBAGE)
    elif action in ("away", "unsure", "back"):
        fates = {"away": Fate.OFFLINE, "unsure": Fate.UNKNOWN, "back": Fate.DONE}
        world.users[user] = fates[action]
    elif action == "slow":
        world.slow ^= {user}
    elif action == "work":
        world.work(user, at_most=1)
    elif action == "work all":
        world.work(user)
    elif action == "report" and world.reports:
        world.report(number % len(world.reports))
    elif action == "wait":
        world.wait(number / 10)
    elif action == "wait long":
        world.wait(number * 2)


@given(ACTIONS)
def test_every_letter_ends_once_and_in_order(actions: list[tuple[str, bytes, int]]) -> None:
    world = World()
    for action, user, number in actions:
        act(world, action, user, number)
        for arrived in world.arrived.values():
            assert arrived == sorted(set(arrived)), "out of order, or twice"
    world.settle_down()
    assert set(world.finished) == set(world.letters)
    reasons = world.reasons()
    assert reasons[None] == sum(map(len, world.arrived.values()))
    assert reasons[Reason.MALFORMED] == sum(one.data.startswith(GARBAGE) for one in world.letters)
    assert reasons[Reason.UNKNOWN] == 0
    assert world.boxes.held == 0
    assert not world.boxes._boxes, "an empty mailbox stays in memory"


@given(ACTIONS, ACTIONS)
def test_after_aclose_nothing_is_offered_and_nothing_is_given_up(
    before: list[tuple[str, bytes, int]], after: list[tuple[str, bytes, int]]
) -> None:
    world = World()
    for action, user, number in before:
        act(world, action, user, number)
    world.boxes.aclose()
    offers = world.offers
    for action, user, number in after:
        if action not in ("write", "garbage"):
            act(world, action, user, number)
    world.settle_down()
    assert world.offers == offers
    arrived = {(user, offset) for user, offsets in world.arrived.items() for offset in offsets}
    settled = {letter for letter, (reason,) in world.finished.items() if reason is None}
    assert {(one.user, one.offset) for one in settled} == arrived


def test_a_user_who_is_away_delays_nobody_else() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    world.slow.add(b"bob")
    for _ in range(100):
        world.write(b"alice")
        world.write(b"bob")
        assert world.write(b"carol") in world.finished
    assert world.arrived == {b"carol": list(range(2, 300, 3))}


def test_patience_runs_from_when_the_user_was_missed_not_from_each_letter() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    first = world.write(b"alice")
    world.wait(PATIENCE_S - 2)
    second = world.write(b"alice")
    world.wait(1)
    assert not world.finished
    world.wait(3)
    assert world.finished == {first: [Reason.OFFLINE], second: [Reason.OFFLINE]}
    third = world.write(b"alice")
    world.wait(PATIENCE_S - 2)
    assert third not in world.finished, "patience begins anew once all was given up"
    world.users[b"alice"] = Fate.DONE
    world.wait(2)
    assert world.finished[third] == [None]


def test_who_was_back_for_one_letter_is_waited_for_anew() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    world.write(b"alice")
    world.wait(PATIENCE_S - 2)
    world.users[b"alice"] = Fate.DONE
    world.wait(2)
    world.users[b"alice"] = Fate.OFFLINE
    world.write(b"alice")
    world.wait(PATIENCE_S - 2)
    assert world.reasons() == {None: 1}


def test_unknown_never_runs_out_of_patience_but_expires() -> None:
    world = World()
    world.users[b"alice"] = Fate.UNKNOWN
    letter = world.write(b"alice")
    world.wait(EXPIRY_S)
    assert not world.finished
    world.wait(2)
    assert world.finished[letter] == [Reason.EXPIRED]


def test_what_is_too_old_when_read_is_not_offered() -> None:
    world = World()
    world.now_s = 1_000.0
    world.write(b"alice", age_s=EXPIRY_S + 1)
    world.write(b"alice", age_s=EXPIRY_S - 1)
    assert world.reasons() == {Reason.EXPIRED: 1, None: 1}
    assert world.offers == 1
    assert not world.boxes._boxes


def test_a_user_who_is_away_is_looked_for_with_one_letter_only() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    for _ in range(1_000):
        world.write(b"alice")
    assert world.offers == 1
    world.wait(PATIENCE_S / 2)
    assert world.offers < 100
    assert world.boxes.held == 1_000


def test_too_many_letters_overflow_and_the_rest_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_LETTERS", 5)
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    for _ in range(8):
        world.write(b"alice")
    assert world.reasons() == {Reason.OVERFLOW: 3}
    assert world.write(b"bob") in world.finished
    world.settle_down()
    assert world.arrived[b"alice"] == [0, 1, 2, 3, 4]


def test_too_many_bytes_overflow_and_room_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1_000)
    world = World()
    for _ in range(3):  # what has left a mailbox counts no more
        world.users[b"alice"] = Fate.OFFLINE
        for _ in range(5):
            world.write(b"alice", bytes(400))
        world.wait(3)
        assert world.boxes.held == 3
        world.settle_down()
    assert world.reasons() == {None: 9, Reason.OVERFLOW: 6}


def test_twenty_thousand_letters_that_settle_at_once_need_no_deep_stack() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    for _ in range(module.MAX_LETTERS):
        world.write(b"alice")
    world.settle_down()
    assert world.arrived[b"alice"] == list(range(module.MAX_LETTERS))


def test_twenty_thousand_letters_given_up_at_once_need_no_deep_stack() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    for _ in range(module.MAX_LETTERS):
        world.write(b"alice")
    world.wait(PATIENCE_S + 2)
    assert world.reasons() == {Reason.OFFLINE: module.MAX_LETTERS}


def test_what_a_letter_waits_for_may_be_behind_it() -> None:
    world = World()
    world.users[b"alice"] = Fate.OFFLINE
    for _ in range(3):
        world.write(b"alice")
    world.slow.add(b"alice")
    world.wait(2)
    [(_, first)] = world.desks[b"alice"]
    first.waits(lambda: None)
    world.write(b"alice")
    world.wait(0)
    assert [letter.offset for letter, _ in world.desks[b"alice"]] == [0, 1, 2, 3]
    world.work(b"alice", at_most=1)
    world.users[b"alice"] = Fate.DONE
    world.settle_down()
    assert world.arrived[b"alice"] == [0, 1, 2, 3], "it failed, and they came back with it"


def test_a_letter_that_waits_is_recalled_when_an_earlier_one_comes_back() -> None:
    world = World()
    world.slow.add(b"alice")
    for _ in range(3):
        world.write(b"alice")
    _, (waiting, kept), _ = world.desks[b"alice"]
    del world.desks[b"alice"][1]
    kept.waits(lambda: world.tell(waiting, kept, Fate.UNKNOWN))
    world.users[b"alice"] = Fate.OFFLINE
    world.work(b"alice")
    assert world.boxes.held == 3, "none is under way any more"
    world.settle_down()
    assert world.arrived[b"alice"] == [0, 1, 2]


def test_what_was_offered_together_comes_back_together() -> None:
    """The user returns while the first of three has failed and the others are on the way."""
    world = World()
    world.slow.add(b"alice")
    for _ in range(3):
        world.write(b"alice")
    world.users[b"alice"] = Fate.OFFLINE
    world.work(b"alice", at_most=1)
    world.users[b"alice"] = Fate.DONE
    world.work(b"alice")
    assert not world.arrived
    world.settle_down()
    assert world.arrived[b"alice"] == [0, 1, 2]


class Adopter(World):
    """Reads on for a dead gateway that presence still names: each attempt sends a fence there."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def deliver(self, data: bytes, kept: Kept) -> None:
        if data.startswith(b"fence"):
            kept.settle(Fate.DONE)
            return
        self.attempts += 1
        kept.waits(lambda: None)
        self.write(b"bob", b"fence")
        self.call_later(0.001, lambda: kept.settle(Fate.UNKNOWN))  # the fence has been answered


def test_a_fence_that_is_done_does_not_hasten_the_letter_before_it() -> None:
    world = Adopter()
    world.write(b"bob", b"message")
    while world.alarms and world.alarms[0].at_s < 60:
        alarm = heapq.heappop(world.alarms)
        world.now_s = alarm.at_s
        if not alarm.cancelled:
            alarm.ring()
    # The pause grows to one second, half of it on average; 60 seconds without that: over 1,500.
    assert 30 < world.attempts < 300
    assert len(world.letters) == world.attempts + 1
