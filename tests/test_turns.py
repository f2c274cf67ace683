"""Who is heard when: little at once, bursts up to a share of the turn, greedy ones in line."""

import asyncio
from collections.abc import Callable

from wsgateway.spare import Spare
from wsgateway.turns import AT_ONCE_BYTES, LITTLE_BYTES, SLICE_BYTES, Turns

BURST = AT_ONCE_BYTES // 2


def idle() -> Turns:
    """Return turns of a core that does nothing else."""
    return Turns(Spare(taken_s=lambda: 0.0))


class Busy(Spare):
    """A core that never has time to spare."""

    def rest_s(self) -> float:
        return 0.001


class Told:
    """Notes who was heard, in which turn of the loop, and how much they might say."""

    def __init__(self) -> None:
        self.turn = 0
        self.heard: list[tuple[int, str, int]] = []

    def by(self, who: str) -> Callable[[int], None]:
        return lambda most: self.heard.append((self.turn, who, most))

    async def pass_turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            self.turn += 1


async def test_whoever_says_little_is_heard_at_once_also_when_others_wait() -> None:
    turns, told = idle(), Told()
    turns.wait(told.by("greedy"))
    turns.wait(told.by("burst"), burst=AT_ONCE_BYTES)
    assert turns.at_once(AT_ONCE_BYTES, told.by("another")) is False
    assert all(turns.at_once(LITTLE_BYTES, told.by(f"calm {n}")) for n in range(100))


async def test_bursts_share_a_turn_and_the_next_one_is_new() -> None:
    turns, told = idle(), Told()
    assert [turns.at_once(BURST, told.by(who)) for who in "abc"] == [True, True, False]
    await told.pass_turns(2)
    assert turns.at_once(BURST, told.by("c"))


async def test_bursts_that_wait_are_heard_whole_and_in_order() -> None:
    turns, told = idle(), Told()
    for who in "abcd":
        turns.wait(told.by(who), burst=BURST)
    assert not turns.at_once(BURST, told.by("e")), "it came later"
    await told.pass_turns(3)
    assert [(who, most) for _, who, most in told.heard] == [(who, AT_ONCE_BYTES) for who in "abcd"]
    first, second = {turn for turn, who, _ in told.heard if who in "ab"}, told.heard[-1][0]
    assert len(first) == 1
    assert second == first.pop() + 1


async def test_one_greedy_client_is_heard_in_each_turn_and_only_a_slice() -> None:
    turns, told = idle(), Told()
    for who in "abc":
        turns.wait(told.by(who))
    assert not told.heard
    await told.pass_turns(4)
    begin = told.heard[0][0]
    assert told.heard == [(begin + n, who, SLICE_BYTES) for n, who in enumerate("abc")]


async def test_bursts_and_greedy_clients_do_not_wait_for_each_other() -> None:
    turns, told = idle(), Told()
    for who in ("burst 1", "burst 2"):
        turns.wait(told.by(who), burst=AT_ONCE_BYTES)
        turns.wait(told.by(f"beside {who}"))
    await told.pass_turns(4)
    first = told.heard[0][0]
    assert {who for turn, who, _ in told.heard if turn == first} == {"burst 1", "beside burst 1"}
    assert len(told.heard) == 4


async def test_whoever_has_still_more_waits_behind_the_others() -> None:
    turns, told = idle(), list[str]()

    def again(who: str, left: int) -> None:
        told.append(who)
        if left:
            turns.wait(lambda _: again(who, left - 1))

    turns.wait(lambda _: again("greedy", 3))
    turns.wait(lambda _: again("late", 0))
    for _ in range(12):
        await asyncio.sleep(0)
    assert told == ["greedy", "late", "greedy", "greedy", "greedy"]


async def test_a_flood_in_small_pieces_waits_in_the_line_too() -> None:
    turns, told = idle(), Told()
    pieces, calm = told.by("pieces"), told.by("calm")
    assert turns.at_once(SLICE_BYTES, pieces), "nobody waits"
    for who in "ab":
        turns.wait(told.by(who))
    most = SLICE_BYTES // LITTLE_BYTES
    assert [turns.at_once(LITTLE_BYTES, pieces) for _ in range(most + 1)] == [True] * most + [False]
    assert turns.at_once(LITTLE_BYTES, calm)
    turns.wait(pieces, burst=LITTLE_BYTES)
    await told.pass_turns(4)
    assert [(who, most) for _, who, most in told.heard] == [
        (who, SLICE_BYTES) for who in ("a", "b", "pieces")
    ]


async def test_whoever_was_heard_in_the_line_has_had_a_slice_until_it_has_gone_round() -> None:
    turns, told = idle(), Told()
    first = told.by("first")
    turns.wait(first)
    for _ in range(3):
        turns.wait(told.by("another"))
    await told.pass_turns(2)
    assert [who for _, who, _ in told.heard] == ["first"]
    assert not turns.at_once(1, first)
    await told.pass_turns(3)
    assert len(told.heard) == 4
    turns.wait(told.by("later"))
    assert turns.at_once(1, first), "the next round"


async def test_when_nobody_is_in_the_line_any_more_nobody_is_remembered() -> None:
    turns, told = idle(), Told()
    for who in "ab":
        turns.wait(told.by(who))
    assert turns.at_once(SLICE_BYTES, told.by("burst"))
    await told.pass_turns(3)
    assert not turns._heard


async def test_one_who_fails_does_not_stop_the_line() -> None:
    turns, told = idle(), Told()
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    turns.wait(lambda _: 1 // 0)
    turns.wait(told.by("next"))
    await told.pass_turns(4)
    assert [who for _, who, _ in told.heard] == ["next"]
    assert len(failures) == 1


async def test_on_a_busy_core_only_the_greedy_rest_and_each_is_heard_in_the_end() -> None:
    turns, told = Turns(Busy()), Told()
    for who in "abc":
        turns.wait(told.by(who))
    turns.wait(told.by("burst"), burst=BURST)
    await told.pass_turns(3)
    assert [who for _, who, _ in told.heard] == ["burst"]
    assert turns.at_once(LITTLE_BYTES, told.by("calm"))
    async with asyncio.timeout(10):
        while len(told.heard) < 4:
            await told.pass_turns(1)
    assert told.heard[1:] == [
        (turn, who, SLICE_BYTES) for (turn, *_), who in zip(told.heard[1:], "abc", strict=True)
    ]


async def test_resting_leaves_the_loop_idle() -> None:
    turns = Turns(Busy())
    turns.wait(lambda _: None)
    await asyncio.sleep(0)
    assert not turns._due
