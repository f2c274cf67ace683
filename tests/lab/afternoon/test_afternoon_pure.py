"""The script, the diaries and the checks of lesson 6, without a single process."""

import math
from dataclasses import replace

import pytest

from wsgateway.lab.afternoon import AFTERNOON, checks
from wsgateway.lab.afternoon.diary import Diary, Letter, Outage, sooner
from wsgateway.lab.afternoon.script import Due, Kind, Load, Mode, timetable
from wsgateway.protocol import Status

CHAT = Kind("chat", keep=True)
TYPING = Kind("typing", fresh_s=0.5)
NOTE = Kind("note", away=True)
KINDS = (CHAT, TYPING, NOTE)
RIGHT = {
    "chat": ("kafka", "lost"),
    "typing": ("redis", "stale"),
    "note": ("neither", "offline"),
}


def letter(
    kind: Kind, at_s: float, status: Status | None, delay_s: float = math.inf, told_s: float = 0.0
) -> Letter:
    return Letter(Due(at_s, kind, 0), status, at_s + told_s, at_s + delay_s)


def diary(mode: Mode, *letters: Letter) -> Diary:
    made = Diary(mode, "a broker", list(letters))
    arrived = [n for n, one in enumerate(letters) if one.arrived_s < math.inf]
    made.arrivals = sorted(arrived, key=lambda n: letters[n].arrived_s)
    return made


@pytest.fixture
def diaries() -> dict[Mode, Diary]:
    """Redis: sooner, one chat lost. Kafka: all there, two typings late."""
    return {
        "redis": diary(
            "redis",
            letter(CHAT, 1.0, Status.ROUTED, 0.001),
            letter(CHAT, 2.0, Status.ROUTED),
            letter(TYPING, 3.0, Status.ROUTED, 0.7),
            letter(TYPING, 4.0, Status.OFFLINE),
            letter(NOTE, 5.0, Status.OFFLINE),
        ),
        "kafka": diary(
            "kafka",
            letter(CHAT, 1.0, Status.ACCEPTED, 0.01),
            letter(CHAT, 2.0, Status.ACCEPTED, 2.5),
            letter(TYPING, 3.0, Status.ACCEPTED, 0.8),
            letter(TYPING, 4.0, Status.ACCEPTED, 0.6),
            letter(NOTE, 5.0, Status.OFFLINE),
        ),
    }


def test_the_same_seed_gives_the_same_timetable_and_another_seed_another() -> None:
    assert timetable(AFTERNOON, 6) == timetable(AFTERNOON, 6) != timetable(AFTERNOON, 7)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_timetable_holds_what_the_loads_say_whatever_the_seed(seed: int) -> None:
    script = replace(AFTERNOON, kinds=KINDS, loads=(Load(0, 2, 10), Load(2, 3, 50)))
    due = timetable(script, seed)
    assert due == sorted(due, key=lambda one: one.at_s)
    for kind in KINDS:
        times = [one.at_s for one in due if one.kind is kind]
        assert len([at_s for at_s in times if at_s < 2]) == 20
        assert len([at_s for at_s in times if 2 <= at_s <= 3]) == 50
    assert {one.pair for one in due} == {0, 1}


def test_an_afternoon_changed() -> None:
    assert {one.victim for one in AFTERNOON.without("broker").troubles} == {"receiver"}
    longer = AFTERNOON.lasting("pause", 9.0)
    assert [one.lasts_s for one in longer.troubles if one.what == "pause"] == [9.0]
    assert [one for one in longer.troubles if one.what != "pause"] == [
        one for one in AFTERNOON.troubles if one.what != "pause"
    ]


def test_the_ledger_counts_the_kinds_it_is_asked_for(diaries: dict[Mode, Diary]) -> None:
    totals = diaries["redis"].totals("chat", "typing")
    assert (totals.sent, totals.arrived, totals.lost, totals.offline) == (4, 2, 1, 1)
    assert diaries["redis"].totals().sent == 5
    assert diaries["kafka"].totals("chat").lost == 0


def test_the_ledger_sees_a_repeat() -> None:
    twice = diary("kafka", letter(CHAT, 1.0, Status.ACCEPTED, 0.1))
    twice.arrivals = [0, 0]
    assert (twice.totals().arrived, twice.totals().duplicates) == (1, 1)


def test_stale_is_late_and_there(diaries: dict[Mode, Diary]) -> None:
    assert (diaries["redis"].stale("typing"), diaries["kafka"].stale("typing")) == (1, 2)
    assert diaries["kafka"].stale("chat") == 0  # never stale, however late


def test_a_debt_begins_with_the_promise_and_ends_with_the_arrival() -> None:
    one = diary(
        "kafka",
        letter(CHAT, 1.0, Status.ACCEPTED, 2.0, told_s=1.0),
        letter(CHAT, 1.0, Status.OFFLINE),
        letter(TYPING, 1.0, Status.ACCEPTED),
    )
    assert one.waiting_at([1.9, 2.0, 2.9, 3.0], "chat") == [0, 1, 1, 0]
    assert one.waiting_at([9.0]) == [1]
    assert one.lasted_s == 3.0


def test_answers_are_those_of_messages_due_during_the_outage(diaries: dict[Mode, Diary]) -> None:
    outage = Outage(AFTERNOON.troubles[0], 2.0, 4.0, "paused")
    assert diaries["redis"].answers(outage) == {"routed": 2}
    assert diaries["kafka"].answers(outage, "typing") == {"accepted": 1}


def test_sooner_compares_pairs_that_both_arrived(diaries: dict[Mode, Diary]) -> None:
    assert sooner(diaries, before_s=9.0) == {"redis": 2}
    assert sooner(diaries, before_s=1.0) == {}


def test_what_rules_a_mode_out_depends_on_what_its_users_need(diaries: dict[Mode, Diary]) -> None:
    assert checks.faults(CHAT, diaries) == {"redis": {"lost": 1}, "kafka": {}}
    assert checks.faults(TYPING, diaries) == {"redis": {}, "kafka": {"stale": 2}}
    assert checks.faults(NOTE, diaries) == {"redis": {"offline": 1}, "kafka": {"offline": 1}}
    forgiving = replace(CHAT, keep=False)
    assert checks.faults(forgiving, diaries) == {"redis": {}, "kafka": {}}


def test_the_right_choice_passes(diaries: dict[Mode, Diary]) -> None:
    assert checks.modes(RIGHT, KINDS, diaries)


def test_the_fewest_stale_messages_rule_nothing_out(
    diaries: dict[Mode, Diary], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not checks.modes({**RIGHT, "typing": ("neither", "stale")}, KINDS, diaries)
    told = capsys.readouterr().out
    assert "typing: redis has the fewest stale messages, 1:" in told
    assert "typing：redis 到得太晚的最少，1 条：" in told


@pytest.mark.parametrize("kind", ["chat", "typing", "note"])
def test_no_other_choice_passes(diaries: dict[Mode, Diary], kind: str) -> None:
    others = [
        (mode, reason)
        for mode in ("redis", "kafka", "neither")
        for reason in ("lost", "stale", "offline")
        if (mode, reason) != RIGHT[kind]
    ]
    assert not any(checks.modes({**RIGHT, kind: other}, KINDS, diaries) for other in others)
