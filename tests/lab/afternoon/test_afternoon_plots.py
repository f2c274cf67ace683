"""The pictures of lesson 6: drawn without boxes, with titles that say what this run showed."""

import io
import math
import warnings
from collections.abc import Callable, Iterator

import pytest
from matplotlib import image
from matplotlib.text import Text

from wsgateway.lab.afternoon import AFTERNOON, plots
from wsgateway.lab.afternoon.diary import Diary, Lag, Letter, Outage
from wsgateway.lab.afternoon.script import Mode, timetable
from wsgateway.lab.language import language
from wsgateway.lab.picture import Picture
from wsgateway.protocol import Status

KINDS = ("typing", "chat")


def lived(mode: Mode, lose: int) -> Diary:
    """A diary in which every message takes 1 ms on Redis and 10 ms on Kafka, or is lost."""
    letters = [Letter(due) for due in timetable(AFTERNOON, 1)]
    promise, took_s = (Status.ROUTED, 1e-3) if mode == "redis" else (Status.ACCEPTED, 1e-2)
    for number, letter in enumerate(letters):
        there = lose == 0 or number % lose
        letter.status, letter.told_s = promise, letter.due.at_s + 1e-3
        letter.arrived_s = letter.due.at_s + took_s if there else math.inf
    diary = Diary(mode, "a broker 1.0", letters)
    diary.arrivals = [n for n, one in enumerate(letters) if one.arrived_s < math.inf]
    diary.outages = [Outage(one, one.at_s, one.at_s + 1, "killed") for one in AFTERNOON.troubles]
    if mode == "kafka":
        diary.lags = [Lag(0.0, 0), Lag(1.0, 7), Lag(2.0, None), Lag(3.0, 0)]
    return diary


DIARIES: dict[Mode, Diary] = {"redis": lived("redis", 4), "kafka": lived("kafka", 0)}
LOST = DIARIES["redis"].totals(*KINDS).lost

ALL: dict[str, Callable[[], Picture]] = {
    "plan": lambda: plots.plan(AFTERNOON),
    "ledgers": lambda: plots.ledgers(DIARIES, *KINDS),
    "one ledger": lambda: plots.ledgers(DIARIES, "note"),
    "delays": lambda: plots.delays(DIARIES, *KINDS),
    "told": lambda: plots.told(DIARIES, *KINDS),
    "waiting": lambda: plots.waiting(DIARIES, *KINDS),
}


@pytest.fixture(params=["en", "zh", "both"])
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    language(request.param)
    yield request.param
    language("both")


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_afternoon_drawn_without_any_warning(draw: Callable[[], Picture], chosen: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph is a warning
        drawn = draw()
    assert image.imread(io.BytesIO(drawn.png)).shape[1] >= 1_400
    assert len(drawn.png) < 100_000
    assert drawn.alt[0].isascii() == (chosen != "zh")


@pytest.mark.parametrize(
    ("draw", "english", "chinese"),
    [
        ("plan", "1,600 messages, 3 troubles", "1,600 条消息，3 次故障"),
        ("ledgers", f"Promised and lost: {LOST:,} and 0", f"承诺后丢失：{LOST:,} 与 0"),
        ("delays", "Redis 7", "Kafka 0%"),
        ("told", "Redis 0, Kafka 0", "Redis 0 条，Kafka 0 条"),
        ("waiting", f"still owes {LOST:,}, Kafka 0", f"Redis {LOST:,} 条"),
    ],
)
def test_titles_of_the_afternoon_say_what_was_found(
    monkeypatch: pytest.MonkeyPatch, draw: str, english: str, chinese: str
) -> None:
    seen: list[str] = []
    original = Text.set_text

    def set_text(self: Text, s: object) -> None:
        seen.append(str(s))
        original(self, s)

    monkeypatch.setattr(Text, "set_text", set_text)
    ALL[draw]()
    assert any(english in title and chinese in title for title in seen)
