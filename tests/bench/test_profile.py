"""The profile: which part a stack belongs to, shares of samples, and one of real gateways."""

import json
import sys
from pathlib import Path
from types import FrameType

import pytest
from test_bench_main import bench_run

import wsgateway
from wsgateway.bench.profile import TITLES, shares
from wsgateway.bench.sampler import LOOP, PARTS, part
from wsgateway.bench.shape import BenchError

PACKAGE = Path(wsgateway.__file__).parent


def frame_in(module: str, line: int) -> FrameType:
    """Return a frame that says it stands at a line of a module of the package."""
    names = {"frame": sys._getframe}
    text = "def stand():" + "\n" * (line - 1) + "    return frame()"
    exec(compile(text, str(PACKAGE / module), "exec"), names)
    made: FrameType = names["stand"]()
    return made


def line_of(module: str, text: str) -> int:
    lines = (PACKAGE / module).read_text("utf-8").splitlines()
    return next(at for at, line in enumerate(lines, start=1) if text in line)


def test_a_stack_belongs_to_its_innermost_part() -> None:
    assert part(None) == LOOP
    assert part(frame_in("lanes.py", 20)) == "lanes"
    assert part(frame_in("redis/link.py", 20)) == "router"
    assert part(frame_in("presence/redis.py", 20)) == "presence"
    assert part(frame_in("stats.py", 20)) == LOOP


def test_an_encoder_without_a_frame_of_its_own_is_known_by_the_line_that_calls_it() -> None:
    assert part(frame_in("delivery.py", line_of("delivery.py", "= protocol.encode("))) == "json"
    assert (
        part(frame_in("delivery.py", line_of("delivery.py", "connection.settle()"))) == "delivery"
    )


def test_a_call_that_has_only_been_entered_by_the_loop_is_the_loop() -> None:
    assert part(frame_in("websocket.py", 1)) == LOOP
    assert part(frame_in("websocket.py", 2)) == "websocket"


def test_shares_are_of_what_was_counted_between() -> None:
    before, after = {"json": 10, LOOP: 5}, {"json": 13, LOOP: 14, "lanes": 0}
    assert shares(before, after) == {LOOP: 0.75, "json": 0.25, "lanes": 0.0}
    assert list(shares(before, after)) == [LOOP, "json", "lanes"]
    with pytest.raises(BenchError, match="no sample"):
        shares(after, after)


def test_every_part_has_a_title() -> None:
    assert set(TITLES) == set(PARTS)


def test_the_command_samples_real_gateways(tmp_path: Path) -> None:
    record, plot = tmp_path / "run.json", tmp_path / "run.png"
    done = bench_run(
        "profile --pairs 8 --warmup 0.2 --duration 1.5",
        *("--json", str(record), "--plot", str(plot)),
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    numbers = json.loads(record.read_text("utf-8"))["numbers"]
    assert numbers["samples"] > 50
    assert sum(numbers["share"].values()) == pytest.approx(1.0)
    busy = [name for name, share in numbers["share"].items() if share > 0]
    assert {"websocket", "json", "delivery", "lanes", "router"} <= set(busy)
