"""The checks of lesson 6: they count in the diaries of the afternoon the learner has run."""

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from wsgateway.lab.afternoon.diary import Diary
from wsgateway.lab.afternoon.script import Kind, Mode
from wsgateway.lab.checks import TODO, NotAttempted, call, expect, grade

NEITHER = "neither"
_SAID = {
    "lost": ("were promised and never arrived", "承诺过却始终没到"),
    "stale": ("arrived when they were worse than nothing", "到得太晚，不如不到"),
    "offline": ("were refused as `offline` and stored nowhere", "以 `offline` 被拒，哪里也没存"),
}


def faults(kind: Kind, diaries: Mapping[Mode, Diary]) -> dict[Mode, dict[str, int]]:
    """Return what rules each mode out for a kind: reason -> how many messages; empty: nothing.

    Args:
        kind: what its users need.
        diaries: mode -> its diary.
    """
    found: dict[Mode, dict[str, int]] = {}
    freshest = min(diary.stale(kind.name) for diary in diaries.values())
    for mode, diary in diaries.items():
        totals, stale = diary.totals(kind.name), diary.stale(kind.name)
        counts = {
            "lost": totals.lost if kind.keep else 0,
            "stale": stale if stale > freshest else 0,
            "offline": totals.offline if kind.away else 0,
        }
        found[mode] = {reason: count for reason, count in counts.items() if count}
    return found


def modes(
    answer: Mapping[str, Any], kinds: tuple[Kind, ...], diaries: Mapping[Mode, Diary]
) -> bool:
    """Exercise 6.1: a mode for each kind, and what rules out the others.

    Args:
        answer: name of a kind -> ("redis", "kafka" or "neither"; "lost", "stale" or "offline").
        kinds: what the users of each kind need.
        diaries: mode -> its diary.
    """

    def check() -> None:
        if any(answer.get(kind.name) is TODO for kind in kinds):
            raise NotAttempted
        for kind in kinds:
            _defend(kind, answer.get(kind.name), diaries)

    return grade("6.1", check)


def _defend(kind: Kind, given: Any, diaries: Mapping[Mode, Diary]) -> None:
    """Let one answer pass, or say what the diaries have against it."""
    name = kind.name
    expect(
        isinstance(given, tuple) and len(given) == 2,
        f'{name}: give a pair, for example ("redis", "lost").',
        f'{name}：请给一个二元组，例如 ("redis", "lost")。',
    )
    mode, reason = given
    expect(
        mode in (*diaries, NEITHER) and reason in _SAID,
        f'{name}: a mode ("redis", "kafka", "neither") and a reason ("lost", "stale", "offline").',
        f'{name}：先写模式（"redis"、"kafka"、"neither"），'
        '再写原因（"lost"、"stale"、"offline"）。',
    )
    against = faults(kind, diaries)
    if mode == NEITHER:
        fit = [one for one, found in against.items() if not found]
        if fit and kind.fresh_s is not None:
            best, count = fit[0], diaries[fit[0]].stale(name)
            expect(
                False,
                f"{name}: {best} has the fewest stale messages, {count}: "
                "`stale` does not rule it out, nor does anything else.",
                f"{name}：{best} 到得太晚的最少，{count} 条：`stale` 排除不了它，别的也排除不了。",
            )
        expect(
            not fit,
            f"{name}: {', '.join(fit)} met all it needs, so why neither?",
            f"{name}：{'、'.join(fit)} 满足了它的全部需要，为什么都不选？",
        )
    for said, count in against.get(mode, {}).items():
        en, zh = _SAID[said]
        expect(
            False,
            f"{name} over {mode}: {count} {en}.",
            f"{name} 走 {mode}：有 {count} 条{zh}。",
        )
    others = [one for one in diaries if one != mode]
    expect(
        all(reason in against[one] for one in others),
        f"{name}: {mode} holds, but `{reason}` is not what rules out the rest. "
        "Look at what its users need.",
        f"{name}：选 {mode} 站得住，但排除其余选项的不是 `{reason}`。看看它的用户需要什么。",
    )


def catches_up_s(answer: Callable[[int, float, float], Any]) -> bool:
    """Exercise 6.2: `answer(lag, arriving, served)` is when the lag is gone, seconds, or None.

    Args:
        answer: gets the lag in records, and records per second that arrive and that are served.
    """

    def check() -> None:
        rng = Random(62)  # fixed: the same answer always gets the same hint
        for _ in range(20):
            lag, arriving = rng.randrange(50, 500), float(rng.randrange(50, 200))
            served = arriving + rng.randrange(50, 2_000)
            wanted = _played_s(lag, arriving, served)
            found = call(answer, lag, arriving, served)
            told = f"{lag} waiting, {arriving:g} more each second, {served:g} served"
            told_zh = f"积压 {lag} 条，每秒新来 {arriving:g} 条，处理 {served:g} 条"
            expect(
                isinstance(found, int | float) and math.isfinite(found),
                f"{told}: the lag does go away; return the seconds.",
                f"{told_zh}：积压会消完，请返回秒数。",
            )
            expect(
                not math.isclose(found, lag / served, rel_tol=0.01),
                f"{told}: while it catches up more arrive, and they wait as well.",
                f"{told_zh}：追的时候还有新的来，它们也要排队。",
            )
            expect(
                math.isclose(found, wanted, rel_tol=0.05),
                f"{told}: played out, the lag is gone after {wanted:.2f} s, not {found:.2f}.",
                f"{told_zh}：逐条推演，{wanted:.2f} 秒后消完，不是 {found:.2f} 秒。",
            )
        expect(
            call(answer, 100, 200.0, 150.0) is None and call(answer, 100, 200.0, 200.0) is None,
            "Served no faster than they arrive, the lag never goes away: return None.",
            "处理得不比新来的快，积压就永远消不完：应返回 None。",
        )

    return grade("6.2", check)


def _played_s(lag: int, arriving: float, served: float) -> float:
    """Return when the lag is gone, played out in small steps and not reckoned."""
    step_s, at_s, left = 1e-4, 0.0, float(lag)
    while left > 0:
        left += (arriving - served) * step_s
        at_s += step_s
    return at_s
