"""The parts of the bench that compute: accounts, percentiles, plans, the JSON file."""

import random
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.bench import record
from wsgateway.bench.dialect import Heard, JsonDialect
from wsgateway.bench.findings import RUN_COLUMNS, Findings, run_row
from wsgateway.bench.plan import arrivals, churn_jobs, idle_jobs, load_jobs
from wsgateway.bench.run import merged
from wsgateway.bench.shape import BenchError, Moment, Outcome, Shape, percentile, thinned
from wsgateway.bench.soak import slope_kib_per_min
from wsgateway.bench.talk import Sample
from wsgateway.bench.tally import Tally

URLS = ["ws://a", "ws://b"]


def told(numbers: Sequence[int]) -> Tally:
    tally = Tally()
    for number in numbers:
        tally.hear(number)
    return tally


def outcome(**changes: object) -> Outcome:
    made = {
        "target": "t",
        "shape": Shape(duration_s=2.0),
        "delivered": 10,
        "per_s": 5.0,
        "lost": 0,
        "doubled": 0,
        "reordered": 0,
        "refused": {},
        "latencies_ms": [float(n) for n in range(1, 1001)],
        "node_cpu_s": 1.0,
        "broker_cpu_s": 0.5,
        "load_cpu_s": 0.25,
        "rss_kib": [2048, 4096],
        "sent": 10,
    }
    return Outcome(**(made | changes))  # type: ignore[arg-type]  # the values fit by name


def test_a_perfect_pair_has_no_faults() -> None:
    tally = told(range(100))
    assert (tally.lost(100), tally.doubled, tally.reordered) == (0, 0, 0)


def test_what_never_came_is_lost_in_the_middle_and_at_the_end() -> None:
    assert told([0, 1, 4]).lost(7) == 4


def test_what_came_again_is_doubled_and_nothing_else() -> None:
    tally = told([0, 1, 1, 2, 0])
    assert (tally.lost(3), tally.doubled, tally.reordered) == (0, 2, 0)


def test_what_came_after_a_later_one_is_reordered_once() -> None:
    tally = told([0, 2, 1, 3])
    assert (tally.lost(4), tally.doubled, tally.reordered) == (0, 0, 1)


def test_what_was_refused_is_not_lost() -> None:
    tally = told([0, 2])
    for number in (1, 4):
        tally.refuse(number)
    assert tally.lost(5) == 1  # number 3


def test_what_was_refused_and_came_all_the_same_makes_up_for_no_other() -> None:
    tally = told([0, 1, 3])
    tally.refuse(1)
    assert tally.lost(4) == 1


@given(st.lists(st.integers(0, 30), max_size=60), st.sets(st.integers(0, 30)))
def test_the_account_is_that_of_a_plain_count(came: list[int], refused: set[int]) -> None:
    tally = told(came)
    for number in refused:
        tally.refuse(number)
    assert tally.lost(31) == len(set(range(31)) - set(came) - refused)
    assert tally.doubled == len(came) - len(set(came))
    firsts = list(dict.fromkeys(came))
    late = sum(number < max(firsts[:place]) for place, number in enumerate(firsts) if place)
    assert tally.reordered == late


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentiles_are_nearest_ranks(percent: float, value: float) -> None:
    assert percentile(list(range(1, 101)), percent) == value


def test_nothing_has_no_percentiles_but_zero() -> None:
    assert percentile([], 50) == 0.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.integers(1, 50))
def test_a_thinned_sample_keeps_its_ends_in_sight(values: list[float], most: int) -> None:
    ordered = sorted(values)
    kept = thinned(ordered, most)
    assert len(kept) == min(most, len(ordered))
    assert kept == sorted(kept)
    assert set(kept) <= set(ordered)


def test_a_sample_is_bounded_and_covers_the_whole_run() -> None:
    sample = Sample(most=100)
    for number in range(10_000):
        sample.add(number)
    assert 100 <= len(sample.kept) < 200
    assert sample.kept[0] < 200
    assert sample.kept[-1] > 9_800


def test_a_merged_sample_weighs_its_parts_by_their_messages() -> None:
    parts = [([1.0] * 20_000, 300_000), ([9.0] * 20_000, 100_000)]
    both = merged(parts)
    assert len(both) == 20_000
    assert both.count(9.0) == 5_000


def test_arrivals_keep_the_rate_use_every_pair_and_repeat_with_the_seed() -> None:
    first = list(islice(arrivals(1000.0, 5, seed=3), 20_000))
    assert first == list(islice(arrivals(1000.0, 5, seed=3), 20_000))
    assert first != list(islice(arrivals(1000.0, 5, seed=4), 20_000))
    assert [at for at, _ in first] == sorted(at for at, _ in first)
    assert first[-1][0] / 1e9 == pytest.approx(20.0, rel=0.05)
    assert {pair for _, pair in first} == set(range(5))


def test_pairs_cross_nodes_and_both_ends_are_in_one_process() -> None:
    jobs = load_jobs(Shape(pairs=5, rate_per_s=100.0), URLS, JsonDialect(), tag="x")
    pairs = [pair for job in jobs for pair in job.pairs]
    assert [len(job.pairs) for job in jobs] == [3, 2]
    assert all(pair.sender_url != pair.recipient_url for pair in pairs)
    assert sum(pair.sender_url == "ws://a" for pair in pairs) == 3
    assert len({name for pair in pairs for name in (pair.sender, pair.recipient)}) == 10
    assert sum(job.rate_per_s or 0 for job in jobs) == pytest.approx(100.0)


def test_pairs_may_stay_on_one_node() -> None:
    jobs = load_jobs(Shape(pairs=4, across=False), URLS, JsonDialect())
    assert all(pair.sender_url == pair.recipient_url for job in jobs for pair in job.pairs)


def test_no_process_without_pairs() -> None:
    assert len(load_jobs(Shape(pairs=1, load_processes=3), URLS, JsonDialect())) == 1


def test_idle_users_are_shared_out_between_nodes_and_processes() -> None:
    jobs = idle_jobs(11, URLS, JsonDialect(), most=4)
    assert [len(job.idle) for job in jobs] == [4, 4, 3]
    assert len({user for job in jobs for user, _ in job.idle}) == 11


def test_churn_is_shared_out_without_a_rest() -> None:
    jobs = churn_jobs(7, URLS, JsonDialect(), per_s=10.0, processes=3)
    assert [job.cycles for job in jobs] == [3, 2, 2]
    assert len({job.group for job in jobs}) == 3  # so their users have different names


@pytest.mark.parametrize(
    "wrong",
    [{"nodes": 0}, {"duration_s": 0}, {"size_bytes": 10}, {"rate_per_s": 0.0}, {"pairs": -1}],
)
def test_a_shape_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        Shape(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("payload", "kind", "text", "message_id"),
    [
        ('{"type":"register","userId":"a"}', Heard.READY, "", None),
        ('{"type":"message","from":"a","content":"0 1 x"}', Heard.MESSAGE, "0 1 x", None),
        ('{"type":"ack","id":"4","status":"routed"}', Heard.ACK, "routed", "4"),
        ('{"type":"error","code":"offline","replyTo":"4"}', Heard.REFUSED, "offline", "4"),
        ('{"type":"pong"}', Heard.NOISE, "", None),
    ],
)
def test_frames_of_the_protocol_mean_what_they_say(
    payload: str, kind: Heard, text: str, message_id: str | None
) -> None:
    heard = JsonDialect().read(payload.encode())
    assert (heard.kind, heard.text, heard.id) == (kind, text, message_id)


def test_the_file_names_its_format_and_can_be_read_back() -> None:
    found = Findings(numbers={"ratio": 2.0}, seed=5)
    found.add("a run", outcome(lost=3, refused={"overloaded": 2}, closed={"4004": 1}))
    arguments, machine = {"pairs": 50}, {"cores": 4}
    made = record.document("latency", arguments, machine, found)
    read = msgspec.json.decode(record.encoded(made))
    assert read["format"] == record.FORMAT
    assert (read["seed"], read["numbers"], read["machine"]) == (5, {"ratio": 2.0}, machine)
    (one,) = read["outcomes"]
    assert (one["name"], one["lost"], one["shape"]["duration_s"]) == ("a run", 3, 2.0)
    assert one["latency_ms"]["p50"] == 500.0
    assert one["latency_ms"]["p99_9"] == 999.0
    assert len(one["latency_ms"]["ecdf"]) == 500
    assert "latencies_ms" not in one
    assert one["cpu_s_per_1000"] == 100.0
    assert read["faults"] == [
        "a run: 3 of 10 messages lost",
        "a run: 1 connections ended with 4004",
    ]


def test_the_page_names_the_fields_of_the_file() -> None:
    page = (Path(__file__).parents[2] / "docs/benchmark.md").read_text("utf-8")
    table = page.split("<!-- record:begin -->")[1].split("<!-- record:end -->")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == list(record.document("latency", {}, {}, Findings()))
    assert f"`{record.FORMAT}`" in table


def test_a_row_fits_the_columns() -> None:
    row = run_row("a run", outcome())
    assert len(row) == len(RUN_COLUMNS)
    assert row[:4] == ["a run", "5", "500.00", "990.00"]


def test_the_slope_is_that_of_the_node_that_grows() -> None:
    chance = random.Random(1)
    moments = [
        Moment(float(at), 0, 0, 0, (1000 + chance.randrange(2), 1000 + 10 * at))
        for at in range(-5, 60)
    ]
    assert slope_kib_per_min(moments) == pytest.approx(600.0)
    assert slope_kib_per_min(moments[:5]) == 0.0
