"""A short afternoon for real: gateways and brokers that are hurt, and what the diaries say."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from wsgateway.lab.afternoon import AFTERNOON, Diary, Load, Trouble, checks, run
from wsgateway.lab.afternoon.live import both
from wsgateway.lab.afternoon.script import Mode

SHORT = replace(
    AFTERNOON,
    loads=(Load(0.0, 6.0, 20),),
    troubles=(
        Trouble(0.5, "receiver", "kill", 0.5),
        Trouble(3.5, "broker", "pause", 0.3),
        Trouble(4.0, "receiver", "pause", 0.3),
    ),
)


@pytest.fixture(scope="module")
def diaries() -> dict[Mode, Diary]:
    return run(SHORT, seed=1)


def test_both_modes_live_through_the_same_messages(diaries: dict[Mode, Diary]) -> None:
    redis, kafka = diaries["redis"], diaries["kafka"]
    assert [one.due for one in redis.letters] == [one.due for one in kafka.letters]
    assert "Tansu" in kafka.broker
    for diary in diaries.values():
        totals = diary.totals()
        assert totals.sent == len(diary.letters) == 600
        assert totals.open == totals.duplicates == totals.reordered == 0
        assert [one.done for one in diary.outages] == ["killed", "paused", "paused"]


def test_a_kill_loses_what_redis_had_routed_and_nothing_of_what_kafka_had_accepted(
    diaries: dict[Mode, Diary],
) -> None:
    for kind in ("chat", "order"):
        assert diaries["redis"].totals(kind).lost > 0
        assert diaries["kafka"].totals(kind).lost == 0
    assert diaries["redis"].answers(diaries["redis"].outages[0])["offline"] > 0
    assert diaries["kafka"].totals("chat", "order").arrived == 240


def test_only_a_log_can_be_asked_for_its_lag(diaries: dict[Mode, Diary]) -> None:
    assert diaries["redis"].lags == []
    assert max(diaries["kafka"].lags_during(diaries["kafka"].outages[0])) > 20
    assert diaries["kafka"].lags[-1].records == 0


def test_nobody_keeps_notes_for_who_is_away(diaries: dict[Mode, Diary]) -> None:
    assert diaries["kafka"].totals("note").offline == 120
    assert diaries["redis"].totals("note").arrived == 0


def test_the_lessons_answer_holds_for_another_afternoon(diaries: dict[Mode, Diary]) -> None:
    choice = {
        "typing": ("redis", "stale"),
        "score": ("redis", "stale"),
        "chat": ("kafka", "lost"),
        "order": ("kafka", "lost"),
        "note": ("neither", "offline"),
    }
    assert checks.modes(choice, SHORT.kinds, diaries)


async def test_the_stop_button_ends_it_all_even_while_a_gateway_stands_still() -> None:
    ours = psutil.Process()
    before = set(ours.children(recursive=True))
    endless = replace(
        SHORT, loads=(Load(0.0, 60.0, 5),), troubles=(Trouble(0.0, "receiver", "pause", 60.0),)
    )
    living = asyncio.create_task(both(endless, 1, apache=False))

    def stopped() -> int:
        found = 0
        for child in set(ours.children(recursive=True)) - before:
            with suppress(psutil.NoSuchProcess):  # it has just ended
                found += child.status() == psutil.STATUS_STOPPED
        return found

    while stopped() < 2:  # noqa: ASYNC110 - a process tells nobody that it was stopped
        await asyncio.sleep(0.05)
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10.0):  # a drain, or closing 16 clients in vain, takes longer
            await living
    assert set(ours.children(recursive=True)) <= before


def test_afternoon_help() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "wsgateway.lab.afternoon", "--help"],
        capture_output=True, check=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    assert "--seed" in told
    assert "--kafka" in told
