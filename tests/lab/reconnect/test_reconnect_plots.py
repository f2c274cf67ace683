"""The pictures of lesson 8: drawn without boxes, with titles that say what this run showed."""

import io
import warnings
from collections.abc import Callable, Iterator

import pytest
from matplotlib import image
from matplotlib.text import Text

from wsgateway.lab.language import language
from wsgateway.lab.picture import Picture
from wsgateway.lab.reconnect import plots
from wsgateway.lab.reconnect.account import Account, Look
from wsgateway.lab.reconnect.policies import POLICIES
from wsgateway.lab.reconnect.simulate import Outage, simulate

SMALL = Outage(clients=100, down_s=2.0, limit_per_s=100)
STORMS = {name: simulate(policy.delay_s, 1, SMALL) for name, policy in POLICIES.items()}
COMBS = {name: STORMS[name] for name in ("fixed", "exponential")}
PARTED = Account(
    "a broker",
    1,
    None,
    {"crash": STORMS["none"], "drain": STORMS["full jitter"]},
    {"crash": {"1006": 100}, "drain": {"1012": 100}},
    [
        Look(0.0, {"crash": 100, "drain": 100}, {"crash": 0, "drain": 0}),
        Look(1.0, {"crash": 30, "drain": 20}, {"crash": 70, "drain": 0}),
        Look(2.0, {"crash": 100, "drain": 100}, {"crash": 0, "drain": 0}),
    ],
)
ALL: dict[str, tuple[Callable[[], Picture], str, str]] = {
    "attempts": (
        lambda: plots.attempts(STORMS, until_s=10, up_s=2.0),
        "Highest peak: no wait,",
        "最高的峰：不等待",
    ),
    "equal peaks": (
        lambda: plots.attempts(COMBS, until_s=10),
        "The same peak",
        "峰一样高",
    ),
    "recovered": (
        lambda: plots.recovered(STORMS, up_s=2.0),
        "Last of all: exponential",
        "最后一个：指数",
    ),
    "healing": (lambda: plots.healing(PARTED), "at worst 70 of 200", "200 条里有 70 条"),
}


@pytest.fixture(autouse=True)
def both_languages() -> Iterator[None]:
    language("both")
    yield
    language("both")


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("spoken", ["en", "zh", "both"])
def test_it_is_drawn_in_each_language_without_boxes(draw: str, spoken: str) -> None:
    language(spoken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph no font has is a warning, and a box
        picture = ALL[draw][0]()
    height, width = image.imread(io.BytesIO(picture.png)).shape[:2]
    assert width > height > 300
    assert len(picture.png) < 120_000


@pytest.mark.parametrize("draw", ALL)
def test_its_title_says_what_was_found(draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    original = Text.set_text

    def set_text(self: Text, s: object) -> None:
        seen.append(str(s))
        original(self, s)

    monkeypatch.setattr(Text, "set_text", set_text)
    draw_it, english, chinese = ALL[draw]
    draw_it()
    assert any(english in title and chinese in title for title in seen)
