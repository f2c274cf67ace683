"""The command line of the bench: each command once, small, on real gateways and brokers."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_bench_run import faulty

from wsgateway.bench import __main__ as bench
from wsgateway.bench import flags

COMMAND = [sys.executable, "-m", "wsgateway.bench"]
TINY = "--pairs 4 --warmup 0.1 --duration 0.4 --load-processes 1"
CASES = {
    "latency": (f"{TINY} --rate 200 --rounds 2 --ceiling", {"p50_to_hop_ratio", "hop_p50_ms"}),
    "latency --router kafka": (f"{TINY} --rate 100 --rounds 1", {"p50_to_hop_ratio", "hop_broker"}),
    "throughput": (
        f"{TINY} --steps 5,10 --ceiling --gateway=--window=16",
        {"closed_loop_per_s", "steps"},
    ),
    "throughput --nodes 1,2 --users 0,10": (TINY, {"cpu_s_per_1000"}),
    "connections": (
        "--users 50 --watch 0.3 --settle 0.1 --churn 40",
        {"kib_per_connection", "heartbeat_cpu_percent", "churn_rss_after_kib"},
    ),
    "overload": (
        f"{TINY} --duration 1 --calm-pairs 3 --calm-rate 50",
        {"calm_p99_ratio", "rss_grown_kib"},
    ),
    "soak": (
        f"{TINY} --messages 3000 --load 10 --users 10 --churn 20",
        {"slope_kib_per_million", "cycles"},
    ),
}


def bench_run(arguments: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments.split(), *more], capture_output=True, text=True, timeout=100
    )


@pytest.mark.parametrize("command", CASES)
def test_a_command_verifies_prints_and_writes(command: str, tmp_path: Path) -> None:
    more, numbers = CASES[command]
    record, plot = tmp_path / "run.json", tmp_path / "run.png"
    files = ("--seed", "3", "--json", str(record), "--plot", str(plot))
    done = bench_run(f"{command} {more}", *files)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "verified" in done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    read: dict[str, Any] = json.loads(record.read_text("utf-8"))
    assert (read["command"], read["seed"], read["faults"]) == (command.split()[0], 3, [])
    assert numbers <= set(read["numbers"])
    assert read["machine"]["cores"] > 0
    for one in read["outcomes"]:
        assert one["sent"] >= one["delivered"] > 0
        assert one["shape"]["pairs"] in (3, 4)


def test_a_fault_is_printed_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flags, "target", lambda given: faulty("double"))
    arguments = f"throughput --nodes 1 --steps 10 {TINY}"
    monkeypatch.setattr(sys, "argv", ["bench", *arguments.split()])
    assert bench.main() == 1
    printed = capsys.readouterr().out
    assert "fault: closed loop, 32 in flight: " in printed
    assert "doubled" in printed
    assert "verified" not in printed


def test_a_missing_package_is_named_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(name: str) -> object:
        return None if name == "picows" else find_spec(name)

    monkeypatch.setattr(bench, "find_spec", found)
    assert bench.main() == 1
    error = capsys.readouterr().err
    assert error == "wsgateway: picows missing: pip install 'wsgateway[bench]'\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("", "required: "),
        ("latency --rate nothing", "must be a number above 0"),
        ("throughput --nodes 1,0", "must be a whole number from 1 on"),
        ("latency --size 1", "must be a whole number from 40 on"),
        ("overload --router carrier-pigeon", "invalid choice"),
    ],
)
def test_wrong_usage_is_one_line(arguments: str, complaint: str) -> None:
    done = bench_run(arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = bench_run(f"latency {TINY} --json {tmp_path}/nowhere/run.json")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    assert "verified" not in done.stdout


def workers(of: psutil.Process) -> Iterator[psutil.Process]:
    """Yield the load processes that `of` has started, through their watchdogs."""
    for process in of.children(recursive=True):
        if "wsgateway.bench.worker" in process.cmdline() and "-I" not in process.cmdline():
            yield process


def test_an_interrupt_ends_it_and_leaves_no_process() -> None:
    arguments = f"throughput {TINY} --duration 100 --load-processes 2".split()
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE) as running:
        try:
            watched = psutil.Process(running.pid)
            deadline_s = time.monotonic() + 60
            while len(list(workers(watched))) < 2 and time.monotonic() < deadline_s:
                time.sleep(0.05)  # nothing tells of another program's children
            family = watched.children(recursive=True)
            running.send_signal(signal.SIGINT)
            assert running.wait(60) == bench.INTERRUPTED
        finally:
            running.kill()
    assert family
    _, left = psutil.wait_procs(family, timeout=60)
    assert left == []
