"""The checks of the exercises on PUBLISH."""

from collections.abc import Callable
from random import Random
from typing import Any

from wsgateway.lab.checks import call, expect, grade
from wsgateway.routers.redis import MISSED_CANARIES

STORIES = {
    "A": ("nobody ever listened there", "那里从来没有人在听"),
    "B": ("it was paused for all ten, then woke up", "十条期间它都被暂停，后来醒了"),
    "C": ("it was paused for all ten, then killed", "十条期间它都被暂停，后来被杀"),
}
"""What the gateway of the recipient went through while ten messages were sent to him."""
_LEDGERS = {"A": (0, 10, 0), "B": (10, 0, 0), "C": (0, 0, 10)}
_COLUMNS = (("arrived", "到达"), ("refused as offline", "以 offline 拒绝"), ("lost", "丢失"))


def canary(answer: Callable[[float, float, float, bool], Any]) -> bool:
    """Exercise 4.1: `answer(now_s, heard_s, canary_s, slept)` says whether to cut the link."""

    def check() -> None:
        rng = Random(41)  # fixed: the same answer always gets the same hint
        for _ in range(60):
            canary_s = rng.choice((0.5, 5.0))
            silent = rng.choice((0.1, 0.9, 1.5, 2.5, 3.5, 9.0))
            slept = rng.random() < 0.3
            now_s = 1_000.0 + rng.random()
            found = call(answer, now_s, now_s - silent * canary_s, canary_s, slept)
            told = f"silent for {silent:g} canaries"
            told_zh = f"沉默了 {silent:g} 个金丝雀间隔"
            if silent < MISSED_CANARIES:
                expect(
                    found is False,
                    f"{told}: one that is late is no reason to cut; {MISSED_CANARIES} may be.",
                    f"{told_zh}：晚到一个不足以断开，允许晚到 {MISSED_CANARIES} 个。",
                )
            elif slept:
                expect(
                    found is False,
                    f"{told}, but this gateway slept: what came is still unread. Do not judge.",
                    f"{told_zh}，但网关自己睡着了：到了的还没读，先别判断。",
                )
            else:
                expect(
                    found is True,
                    f"{told}: nothing comes through any more, and you keep waiting.",
                    f"{told_zh}：已经什么都过不来了，你还在等。",
                )

    return grade("4.1", check)


def ledgers(answer: Callable[[str], Any]) -> bool:
    """Exercise 4.2: `answer(story)` is (arrived, offline, lost), for ten messages over Redis."""

    def check() -> None:
        for name, (en, zh) in STORIES.items():
            found = call(answer, name)
            expect(
                isinstance(found, tuple) and len(found) == 3 and sum(found) == 10,
                f"Story {name}: return three numbers that add up to 10.",
                f"故事 {name}：应返回三个数，加起来等于 10。",
            )
            for column, right, (is_en, is_zh) in zip(found, _LEDGERS[name], _COLUMNS, strict=True):
                expect(
                    column == right,
                    f"Story {name}, {en}: {column} {is_en} is not what happens. "
                    "Ask what Redis counts, and where the bytes are.",
                    f"故事 {name}，{zh}：不会是“{is_zh} {column} 条”。"
                    "想想 Redis 数的是什么，字节又在哪里。",
                )

    return grade("4.2", check)
