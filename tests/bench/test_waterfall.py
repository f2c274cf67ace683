"""The waterfall: its arithmetic, and one of a real cluster."""

import json
from pathlib import Path

import pytest
from test_bench_main import bench_run

from wsgateway.bench.shape import BenchError
from wsgateway.bench.waterfall import STAGES, segments
from wsgateway.protocol import Hop


def trace(*us: int) -> list[Hop]:
    return [Hop("g1", stage, at) for stage, at in zip(STAGES, us, strict=True)]


def test_quartiles_of_each_stretch_and_of_the_whole() -> None:
    traces = [trace(0, 10 * n, 11 * n, 31 * n, 32 * n, 40 * n) for n in (1, 2, 3, 4)]
    parts, whole = segments(traces)
    assert [(part.start, part.end) for part in parts] == [
        ("sent", "received"),
        ("received", "resolved"),
        ("resolved", "arrived"),
        ("arrived", "outbox"),
        ("outbox", "heard"),
    ]
    assert [part.p50_us for part in parts] == [20, 2, 40, 2, 16]
    assert (parts[0].p25_us, parts[0].p75_us) == (10, 30)
    assert (whole.p25_us, whole.p50_us, whole.p75_us) == (40, 80, 120)


def test_a_message_that_took_another_way_is_refused() -> None:
    with pytest.raises(BenchError, match="no message"):
        segments([])
    short = [hop for hop in trace(0, 1, 2, 3, 4, 5) if hop.stage != "resolved"]
    with pytest.raises(BenchError, match="another way"):
        segments([trace(0, 1, 2, 3, 4, 5), short])


def test_the_command_traces_real_messages(tmp_path: Path) -> None:
    record, plot = tmp_path / "run.json", tmp_path / "run.png"
    files = ("--json", str(record), "--plot", str(plot))
    done = bench_run("waterfall --messages 40 --rate 400", *files)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    made = json.loads(record.read_text("utf-8"))["numbers"]["waterfall"]
    assert [part["end"] for part in made["segments"]] == list(STAGES[1:])
    assert made["messages"] == 40
    assert made["whole"]["p50_us"] > max(part["p25_us"] for part in made["segments"]) > 0
