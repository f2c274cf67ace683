"""The tables of `docs/performance.md` are what the files in `docs/data/` say."""

import json
from pathlib import Path
from typing import Any

import pytest

from wsgateway.bench import tables
from wsgateway.bench.rows import TABLES
from wsgateway.bench.tables import kept, place, put_in, rendered

ROOT = Path(__file__).parent.parent.parent
MACHINE = {"usable_cores": 4, "cpu": "some", "python": "3.11"}


def outcome(target: str, per_s: float, *, rate: float | None = None, **more: Any) -> dict[str, Any]:
    return {
        "name": target,
        "target": target,
        "per_s": per_s,
        "rate_per_s": rate,
        "lost": 0,
        "reordered": 0,
        "p50": 1.0,
        "p99": 2.0,
        "broker": "Valkey 9",
        "cpu_s_per_1000": 0.04,
        "broker_cpu_s_per_1000": 0.001,
        **more,
    }


def run(*outcomes: dict[str, Any]) -> dict[str, Any]:
    return {"machine": MACHINE, "numbers": {}, "outcomes": list(outcomes)}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_is_on_file(name: str) -> None:
    page = (ROOT / tables.PAGE).read_text("utf-8")
    assert f"<!-- {name}:begin -->" in page
    file = ROOT / tables.DATA / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{name} is not on file yet")
    assert put_in(page, name, rendered(name, json.loads(file.read_text("utf-8")))) == page


def test_latency_of_all_brokers_is_in_one_file() -> None:
    latency = {"command": "latency", "numbers": {}}
    places = {place({**latency, "router": router}) for router in ("redis", "kafka")}
    assert places == {"latency"}


def test_a_table_has_a_head_a_rule_and_a_line_on_the_machine() -> None:
    lines = rendered("costs", [run(outcome("2 gateways, 20,000 users", 9.0))]).splitlines()
    assert [line.count("|") for line in lines] == [5, 5, 5, 5]
    assert lines[2].startswith("| 2 gateways, 20,000 users / 2 个网关，20,000 个用户 | 9 | 40 |")
    assert lines[3] == "| *4 cores / 4 核, some, Python 3.11, Valkey 9* |  |  |  |"


def test_only_what_stands_between_the_markers_changes() -> None:
    page = "a\n<!-- x:begin -->\nold \\1\n<!-- x:end -->\nb\n<!-- y:begin -->\n<!-- y:end -->\n"
    put = put_in(page, "x", "new \\1")
    assert put == page.replace("old", "new")
    assert put_in(put, "x", "new \\1") == put
    assert put_in(page, "z", "nothing") == page


def test_a_file_keeps_what_the_page_needs_and_no_more() -> None:
    document = {
        "command": "throughput",
        "arguments": {"router": "kafka"},
        "machine": MACHINE,
        "numbers": {"cpu_s_per_1000": {}},
        "faults": [],
        "outcomes": [
            {
                "name": "n",
                "moments": [1],
                "shape": {"rate_per_s": None},
                "latency_ms": {"p50": 1, "p99": 2, "ecdf": [1, 2]},
            }
        ],
    }
    small = kept(document)
    assert small["outcomes"] == [{"name": "n", "rate_per_s": None, "p50": 1, "p99": 2}]
    assert place(small) == "costs-kafka"
    assert place({**small, "numbers": {}, "router": "redis"}) == "throughput"


def test_files_are_taken_in_and_the_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / tables.PAGE
    page.write_text("<!-- costs:begin -->\n<!-- costs:end -->\n", "utf-8")
    document = {
        "command": "throughput",
        "arguments": {},
        "machine": MACHINE,
        "numbers": {"cpu_s_per_1000": {}},
        "faults": [],
        "outcomes": [
            {
                **outcome("1 gateway, 100 users", 7.0),
                "shape": {"rate_per_s": None},
                "latency_ms": {"p50": 1.0, "p99": 2.0},
            }
        ],
    }
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tables", str(file), str(file)])
    assert tables.main() == 0
    assert page.read_text("utf-8").count("1 gateway, 100 users / 1 个网关，100 个用户") == 2
    assert len(json.loads((tmp_path / tables.DATA / "costs.json").read_text("utf-8"))) == 2
