"""The checks of lesson 8: a backoff, a bounded peak, a hint. Fixed seeds, so the same hints."""

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

from wsgateway.lab.checks import TODO, NotAttempted, call, expect, grade
from wsgateway.lab.reconnect.policies import jittered
from wsgateway.lab.reconnect.simulate import simulate

PEAK_PER_S = 300
BACK_WITHIN_S = 20.0
_HELD_OUT = (81, 82, 83, 84, 85)
_DRAWS = 2_000


def backoff(answer: Callable[..., Any]) -> bool:
    """Exercise 8.1: `answer(attempt, base_s, cap_s, rng)` is full jitter, in seconds."""

    def check() -> None:
        for attempt, bound_s in ((0, 0.5), (1, 1.0), (3, 4.0), (4, 6.0), (9, 6.0)):
            rng = random.Random(attempt)
            drawn = [call(answer, attempt, 0.5, 6.0, rng) for _ in range(_DRAWS)]
            _spread(attempt, bound_s, drawn)
        once, again = (call(answer, 3, 0.5, 6.0, random.Random(7)) for _ in range(2))
        expect(
            once == again,
            "The same seed gave two different waits. Draw from `rng`, and from nothing else.",
            "同一个种子得到了两个不同的等待。随机数只能从 `rng` 里取。",
        )
        expect(
            0 <= call(answer, 5_000, 0.5, 6.0, random.Random(1)) <= 6.0,
            "After 5,000 attempts the wait is still at most the cap.",
            "试过 5,000 次之后，等待仍然不超过上限。",
        )

    return grade("8.1", check)


def _spread(attempt: int, bound_s: float, drawn: list[Any]) -> None:
    expect(
        all(isinstance(one, int | float) and math.isfinite(one) for one in drawn),
        "Return a number of seconds.",
        "应返回一个秒数。",
    )
    expect(
        len(set(drawn)) > 1,
        f"Attempt {attempt} always waits {drawn[0]:g} s: so does everyone else. Where is the die?",
        f"第 {attempt} 次总是等 {drawn[0]:g} 秒，其他客户端也一样。骰子在哪里？",
    )
    expect(
        min(drawn) >= 0 and max(drawn) <= bound_s,
        f"Attempt {attempt} with base 0.5 and cap 6 must lie between 0 and {bound_s:g} s; "
        f"one of yours is {max(drawn) if max(drawn) > bound_s else min(drawn):.2f} s.",
        f"第 {attempt} 次（base 为 0.5，cap 为 6）应在 0 到 {bound_s:g} 秒之间；"
        f"你的有一个是 {max(drawn) if max(drawn) > bound_s else min(drawn):.2f} 秒。",
    )
    tenths = [sum(int(10 * one / bound_s) == n for one in drawn) for n in range(10)]
    expect(
        min(tenths) > _DRAWS / 20,
        f"Attempt {attempt} leaves a part of 0 to {bound_s:g} s almost empty. "
        "Full jitter is uniform over all of it.",
        f"第 {attempt} 次在 0 到 {bound_s:g} 秒里有一段几乎没人。全抖动要均匀铺满整段。",
    )


def bounded(choice: Mapping[str, Any]) -> bool:
    """Exercise 8.2: base, cap and jitter that bound the peak and the recovery.

    Args:
        choice: "base_s", "cap_s", "jitter" -> a number, as `jittered` takes them.
    """

    def check() -> None:
        if any(value is TODO for value in choice.values()):
            raise NotAttempted
        base_s, cap_s, share = (
            choice.get(name, math.nan) for name in ("base_s", "cap_s", "jitter")
        )
        expect(
            all(isinstance(one, int | float) for one in (base_s, cap_s, share))
            and 0 < base_s <= cap_s < math.inf
            and 0 <= share <= 1,
            "Give three numbers: 0 < base_s <= cap_s, and jitter from 0 to 1.",
            "给出三个数：0 < base_s <= cap_s，jitter 在 0 到 1 之间。",
        )
        for seed in _HELD_OUT:
            _hold(seed, float(base_s), float(cap_s), float(share))

    return grade("8.2", check)


def _hold(seed: int, base_s: float, cap_s: float, share: float) -> None:
    storm = simulate(jittered(share, base_s=base_s, cap_s=cap_s), seed)
    peak = storm.peak(1.0)
    expect(
        peak <= PEAK_PER_S,
        f"With seed {seed}, {peak:,} attempts came in one second; {PEAK_PER_S} are allowed. "
        "The first wave is everyone, spread over the first wait: make that wait long, and random.",
        f"种子 {seed} 下，有一秒来了 {peak:,} 次尝试；只允许 {PEAK_PER_S} 次。"
        "第一波是所有人，铺开在第一次等待上：让它长一些，随机一些。",
    )
    expect(
        storm.recovered and storm.all_back_s <= BACK_WITHIN_S,
        f"With seed {seed} not everyone was back within {BACK_WITHIN_S:g} s. "
        "No wait is longer than the cap: make it smaller.",
        f"种子 {seed} 下，{BACK_WITHIN_S:g} 秒内没有全部回来。每次等待都不超过上限：把它调小。",
    )


def hint(answer: Callable[..., Any]) -> bool:
    """Exercise 8.3: `answer(connections, per_s)` is the `reconnectMs` of a drain."""

    def check() -> None:
        for connections, per_s, wanted in ((1_000, 200, 5_000), (500, 100, 5_000), (90, 30, 3_000)):
            found = call(answer, connections, per_s)
            expect(
                isinstance(found, int | float),
                "Return a number of milliseconds.",
                "应返回一个毫秒数。",
            )
            expect(
                abs(found - wanted / 1_000) > 1e-6,
                f"{found:g} is right in seconds; the hint counts milliseconds.",
                f"{found:g} 作为秒是对的；但提示的单位是毫秒。",
            )
            expect(
                math.isclose(found, wanted, rel_tol=0.01),
                f"{connections:,} clients spread over {found:g} ms come at "
                f"{connections / max(found, 1e-9) * 1_000:,.0f} per second, not at {per_s}.",
                f"{connections:,} 个客户端铺开在 {found:g} 毫秒里，每秒来 "
                f"{connections / max(found, 1e-9) * 1_000:,.0f} 个，而不是 {per_s} 个。",
            )
        expect(
            call(answer, 3, 200) >= 100,
            "With 3 connections the hint is 15 ms or so: never hint at less than 100 ms.",
            "只有 3 条连接时，提示只有 15 毫秒左右：提示不要小于 100 毫秒。",
        )

    return grade("8.3", check)
