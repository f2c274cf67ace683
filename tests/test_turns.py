"""Waiting in line: one at a time, in the order they came, and nobody twice in one turn."""

import asyncio
from collections.abc import Callable

from wsgateway.turns import Turns


async def test_one_goes_on_in_each_turn_of_the_loop() -> None:
    turns, turn, told = Turns(), 0, list[tuple[int, str]]()

    def note(who: str) -> Callable[[], None]:
        return lambda: told.append((turn, who))

    for who in "abc":
        turns.wait(note(who))
    assert not told
    for turn in range(3):  # noqa: B007 (the notes above read it)
        await asyncio.sleep(0)
    assert told == [(0, "a"), (1, "b"), (2, "c")]


async def test_who_has_still_more_waits_behind_the_others() -> None:
    turns, told = Turns(), list[str]()

    def again(who: str, left: int) -> None:
        told.append(who)
        if left:
            turns.wait(lambda: again(who, left - 1))

    turns.wait(lambda: again("greedy", 3))
    turns.wait(lambda: again("late", 0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == ["greedy", "late", "greedy", "greedy", "greedy"]


async def test_one_who_fails_does_not_stop_the_line() -> None:
    turns, told = Turns(), list[str]()
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    turns.wait(lambda: 1 // 0)
    turns.wait(lambda: told.append("next"))
    for _ in range(2):
        await asyncio.sleep(0)
    assert told == ["next"]
    assert len(failures) == 1
