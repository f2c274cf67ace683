"""Predictions and exercises. What they print is the same each run, whoever runs them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, Final

from wsgateway.lab.language import say
from wsgateway.protocol import Hop


class Todo:
    """The value of an answer nobody has written yet."""

    def __repr__(self) -> str:
        return "TODO"


TODO: Final = Todo()


class Wrong(AssertionError):
    """An answer that does not hold, with a hint in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


def expect(condition: bool, en: str, zh: str) -> None:
    """Raise `Wrong` with this hint unless the condition holds."""
    if not condition:
        raise Wrong(en, zh)


def grade(name: str, check: Callable[[], None]) -> bool:
    """Run one exercise's check and print one verdict: not attempted, not yet, or right.

    Args:
        name: the exercise, as the notebook numbers it ("1.1").
        check: raises `Wrong` for a wrong answer, `NotAttempted` for none.

    Returns:
        Whether the answer is right.
    """
    try:
        check()
    except NotAttempted:
        say(
            f"Exercise {name}: not attempted yet. Replace TODO, run your cell, then this one.",
            f"练习 {name}：还没作答。把 TODO 换成你的代码，先运行上一格，再运行这一格。",
        )
        return False
    except Wrong as wrong:
        say(f"Exercise {name}: not yet. {wrong.en}", f"练习 {name}：还差一点。{wrong.zh}")
        return False
    say(f"Exercise {name}: right.", f"练习 {name}：正确。")
    return True


class NotAttempted(Exception):
    """The answer is still the stub."""


def call(answer: Callable[..., Any], *args: Any) -> Any:
    """Call a learner's function; its own exceptions become hints.

    Raises:
        NotAttempted: it returned TODO.
        Wrong: it raised, and the hint says what.
    """
    try:
        result = answer(*args)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise Wrong(f"Your code raised {what}.", f"你的代码抛出了异常：{what}。") from error
    if isinstance(result, Todo):
        raise NotAttempted
    return result


# --- lesson 1 -----------------------------------------------------------------------------------


def where_is(answer: Callable[[str], Any], homes: dict[str, str]) -> bool:
    """Exercise 1.1: `answer(user)` is (gateway id, seconds left), or None for a user nowhere.

    Args:
        answer: the learner's function.
        homes: user -> gateway id, as it really is now.
    """

    def check() -> None:
        for user, home in homes.items():
            found = call(answer, user)
            expect(
                isinstance(found, tuple) and len(found) == 2,
                f"For {user}, who is online, return a pair (gateway id, seconds left).",
                f"{user} 在线，应返回一个二元组（网关 id，剩余秒数）。",
            )
            gateway_id, left_s = found
            expect(
                gateway_id == home,
                f"{user} is on {home}, and your function says {gateway_id!r}.",
                f"{user} 在 {home} 上，你的函数却说是 {gateway_id!r}。",
            )
            expect(
                isinstance(left_s, int | float) and 0 < left_s <= 90,
                "The time left lies between 0 and 90 seconds. PTTL answers in milliseconds.",
                "剩余时间应在 0 到 90 秒之间。注意 PTTL 的单位是毫秒。",
            )
        found = call(answer, "nobody-by-this-name")
        expect(
            found is None,
            "For a user who is nowhere return None: HGETALL finds an empty hash, PTTL says -2.",
            "用户不在线时应返回 None：此时 HGETALL 得到空哈希，PTTL 返回 -2。",
        )

    return grade("1.1", check)


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of a message's journey, microseconds."""

    start: str
    end: str
    at: str
    took_us: int


def steps(trace: Sequence[Hop]) -> list[Step]:
    """Return the stretches between one hop of a trace and the next.

    `at` is the gateway where the stretch ended.
    """
    return [Step(a.stage, b.stage, b.at, b.us - a.us) for a, b in pairwise(trace)]


def slowest_step(answer: Callable[[list[Hop]], Any]) -> bool:
    """Exercise 1.2: `answer(trace)` is (stage it began, stage it ended, microseconds)."""

    def check() -> None:
        # Why: a fixed seed, so that the same answer always gets the same hint.
        # 原因：固定随机种子，同样的答案总能得到同样的提示。
        rng = Random(20)
        for _ in range(20):
            us, trace = 1_700_000_000_000_000 + rng.randrange(10**6), []
            for at, stage in (
                ("g1", "received"),
                ("g1", "resolved"),
                ("g2", "arrived"),
                ("g2", "outbox"),
            ):
                trace.append(Hop(at, stage, us))
                us += rng.randrange(1, 2_000)
            _compare(trace, call(answer, list(trace)))

    return grade("1.2", check)


def _compare(trace: list[Hop], found: Any) -> None:
    longest = max(steps(trace), key=lambda step: step.took_us)
    expect(
        isinstance(found, tuple) and len(found) == 3,
        "Return three things: the stage it began with, the stage it ended with, microseconds.",
        "应返回三项：起始阶段、结束阶段、微秒数。",
    )
    start, end, took_us = found
    total = trace[-1].us - trace[0].us
    expect(
        took_us != total or total == longest.took_us,
        "That is the whole journey. Compare each hop with the one just before it.",
        "这是全程的时间。请把每一跳与它的前一跳相减。",
    )
    expect(
        took_us < 1_000_000_000,
        "That is a time of day, not a duration. Subtract neighbours.",
        "这是一个时刻，不是时长。请把相邻两跳相减。",
    )
    expect(
        (start, end, took_us) == (longest.start, longest.end, longest.took_us),
        f"In one trace the slowest step was {longest.start} to {longest.end}, "
        f"and your function says {start} to {end}.",
        f"有一条轨迹最慢的一步是从 {longest.start} 到 {longest.end}，"
        f"你的函数却说是从 {start} 到 {end}。",
    )
