"""Plots: both languages drawn without boxes, true titles, a sentence for who cannot see."""

import io
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import matplotlib as mpl
import pytest
from matplotlib import image
from matplotlib.text import Text
from test_sizing import COSTS

from wsgateway.bench.ladder import rung
from wsgateway.bench.shape import Outcome, Shape
from wsgateway.lab import cost_plots, fleet, fleet_plots, ladder_plots, log_plots, plots
from wsgateway.lab.capacity import Run, Spent
from wsgateway.lab.language import language
from wsgateway.lab.ledger import Totals
from wsgateway.lab.picture import Picture, canvas
from wsgateway.lab.sizing import Demand, plan
from wsgateway.lab.topic import LagPoint, Written
from wsgateway.protocol import Hop

CROSSED = [
    Hop("g1", "received", 1_000),
    Hop("g1", "resolved", 1_200),
    Hop("g2", "arrived", 1_950),
    Hop("g2", "outbox", 2_000),
]
FORWARDED = [
    *CROSSED[:3],
    Hop("g2", "resolved", 2_100),
    Hop("g3", "arrived", 2_500),
    Hop("g3", "outbox", 2_510),
]
SAMPLES = {("near", "近"): [1.0, 2.0, 3.0], ("far", "远"): [2.0, 5.0, 90.0]}

RECORDS = [Written(n % 3, n // 3, f"user-{n % 3}", f"{n}") for n in range(9)]
ARRIVED = [("bob", 0), ("bob", 2), ("carol", 1), ("carol", 3)]
LAG = [LagPoint(n / 10, lag, n in (2, 3)) for n, lag in enumerate((0, 5, 20, 90, 40, 3, 0))]
TOTALS = Totals(100, 90, 80, 10, 0, 10, 0, 3, 0)
RUNS = [
    Run(1_000, batches, publishes, gateways, Spent(4e4, 3e4, 5e3))
    for batches, publishes, gateways in ((1_000, 1_000, 1), (60, 120, 1), (60, 480, 7))
]
STORMS = [
    ((f"{dead} dead", f"死 {dead} 个"), fleet.storm(COSTS, connections_each=100, dead=dead))
    for dead in (50, 333)
]
WAITS = [
    fleet.Wait(busy, 10.0, p99_us) for busy, p99_us in ((0.3, 200.0), (0.6, 300.0), (0.9, 2e3))
]
CLIMBED = [
    (
        rung(name),
        Outcome(
            target=name,
            shape=Shape(),
            delivered=int(per_s),
            per_s=per_s,
            lost=0,
            doubled=0,
            reordered=0,
            refused={},
            latencies_ms=[],
            node_cpu_s=1.0,
            broker_cpu_s=0.1,
            load_cpu_s=1.0,
            rss_kib=[],
            broker="Valkey 9.1.2",
        ),
    )
    for name, per_s in (("plain", 2_000.0), ("batching", 9_000.0), ("shipped", 12_000.0))
]

ALL: dict[str, Callable[[], Picture]] = {
    "crossed": lambda: plots.waterfall(CROSSED),
    "forwarded": lambda: plots.waterfall(FORWARDED),
    "same gateway": lambda: plots.waterfall([CROSSED[0], Hop("g1", "outbox", 1_010)]),
    "no time at all": lambda: plots.waterfall([CROSSED[0], Hop("g1", "outbox", 1_000)]),
    "ecdf": lambda: plots.ecdf(SAMPLES),
    "journey": plots.journey,
    "log": log_plots.journey,
    "arrivals": lambda: log_plots.arrivals(ARRIVED),
    "partitions": lambda: log_plots.partitions(RECORDS),
    "ledgers": lambda: plots.ledgers({("Redis", "Redis"): TOTALS, ("a log", "日志"): TOTALS}),
    "lag": lambda: log_plots.lag(LAG, broker="Tansu 0.6.0"),
    "ladder": lambda: ladder_plots.ladder(CLIMBED),
    "message": lambda: ladder_plots.waterfall(COSTS),
    "fitted": lambda: cost_plots.fitted(RUNS, COSTS),
    "prices": lambda: cost_plots.prices(COSTS),
    "thinning": lambda: cost_plots.thinning(RUNS[1:]),
    "cores": lambda: cost_plots.cores(plan(Demand(), COSTS)),
    "carried": lambda: fleet_plots.carried(COSTS),
    "waits": lambda: fleet_plots.waits(WAITS),
    "storm": lambda: fleet_plots.storm(STORMS),
    "spread": lambda: fleet_plots.spread(fleet.spread(10_000, 100, dead=5)),
}


@pytest.fixture(params=["en", "zh", "both"])
def chosen(request: pytest.FixtureRequest) -> Iterator[str]:
    language(request.param)
    yield request.param
    language("both")


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is set while plotting."""
    seen: list[str] = []
    original = Text.set_text

    def set_text(self: Text, s: object) -> None:
        seen.append(str(s))
        original(self, s)

    monkeypatch.setattr(Text, "set_text", set_text)
    return seen


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_drawn_without_a_missing_glyph_or_any_warning(
    draw: Callable[[], Picture], chosen: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph 20301 missing from font(s)" is a warning
        drawn = draw()
    assert image.imread(io.BytesIO(drawn.png)).shape[1] >= 1_400  # sharp on a projector
    assert len(drawn.png) < 80_000  # a lesson holds a dozen of them
    assert drawn.alt[0].isascii() == (chosen != "zh")


def test_the_guard_for_glyphs_can_fail() -> None:
    with pytest.warns(UserWarning, match="Glyph"), canvas("", "") as made:
        made.figure.suptitle("\U0001f9ff")


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_what_nbval_compares_is_the_same_for_other_data(draw: Callable[[], Picture]) -> None:
    first, again = draw(), draw()
    data, metadata = first._repr_mimebundle_()
    assert data["text/plain"] == repr(again) == metadata["image/png"]["alt"]
    assert data["image/png"].startswith(b"\x89PNG")


def test_waterfall_names_the_longest_step(titles: list[str]) -> None:
    plots.waterfall(CROSSED)
    assert any("75% of the way: through Redis" in title for title in titles)


def test_ecdf_states_the_ratio_of_the_medians(titles: list[str]) -> None:
    plots.ecdf(SAMPLES)
    assert any("2.5 times the median: far" in title for title in titles)


def test_the_learners_own_style_is_left_alone() -> None:
    before = dict(mpl.rcParams)
    plots.journey()
    assert dict(mpl.rcParams) == before


def test_importing_the_lab_leaves_the_style_alone() -> None:
    code = (
        "import matplotlib as m; before = dict(m.rcParams); import wsgateway.lab; "
        "assert dict(m.rcParams) == before, 'changed'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_title_of_the_arrivals_counts_the_jumps_back(titles: list[str]) -> None:
    log_plots.arrivals(ARRIVED)
    assert any("jumps back between users: 1" in title for title in titles)


def test_the_title_of_the_ledgers_says_what_was_lost(titles: list[str]) -> None:
    plots.ledgers({("Redis", "Redis"): TOTALS})
    assert any("Redis lost 10" in title and "丢失 10 条" in title for title in titles)


def test_the_title_of_the_lag_says_how_high_and_how_long(titles: list[str]) -> None:
    log_plots.lag(LAG, broker="Tansu 0.6.0")
    assert any("Up to 90 records waited; 0.2 s later" in title for title in titles)


@pytest.mark.parametrize(
    ("draw", "english", "chinese"),
    [
        ("ladder", "carries 6 times", "6 倍"),
        ("message", "% goes into what a batch shares", "花在一批可以分摊的事上"),
        ("prices", "A message alone costs", "独自一条的消息"),
        ("thinning", "4 times the publishes for 7 gateways", "7 个网关"),
        ("cores", "% of what the gateways work is: heartbeats", "心跳"),
        ("waits", "At 90% busy, p99 waits 7 times as long as at 60%", "7 倍"),
        ("storm", "Longest wait: 50 dead, ", "最长等待：死 50 个，"),
        ("spread", "Survivors carry 5% more", "多担 5%"),
    ],
)
def test_titles_of_the_lesson_on_size_say_what_was_found(
    titles: list[str], draw: str, english: str, chinese: str
) -> None:
    ALL[draw]()
    assert any(english in title and chinese in title for title in titles)
