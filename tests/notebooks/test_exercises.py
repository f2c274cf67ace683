"""Exercises: unattempted says so, the stored solution passes, wrong answers fail with a hint."""

from collections.abc import Iterator
from typing import Any

import pytest
from lessons import LESSONS, cells, role

from wsgateway import lab

RECORD = 'record = cluster.redis("HGETALL", f"presence:{user}")'
LEFT = 'cluster.redis("PTTL", f"presence:{user}")'
SICK = """from dataclasses import replace

def used_of(f):
    gates = f.messages_per_s * f.message_us + f.pings_per_s * f.ping_us
    broker = f.messages_per_s * f.broker_message_us + f.pings_per_s * f.broker_ping_us
    files = f.connections / f.gateways / f.files_per_gateway
    return {"gateways": gates / f.gateways / 1e6, "broker": broker / f.shards / 1e6, "files": files}

def bottleneck(f):"""
NEEDED = """from math import ceil

def gateways_needed(demand, costs):
    work_us = (
        demand.messages_per_s * costs.message_us()
        + demand.pings_per_s * costs.ping_us
        + demand.reconnects_per_s * costs.connect_us
    )
    cpu = work_us / 1e6 / demand.busy
    files = demand.connections / (demand.files_per_gateway - 64)
"""
SPREAD = """def spread_s(users, costs, gateways, shards, spare):
    gates = users * costs.connect_us / (gateways * spare * 1e6)
    broker = users * costs.broker_connect_us / (shards * spare * 1e6)
"""
WRONG = {
    "1.1": {
        "milliseconds": (
            f'def where_is(user):\n    {RECORD}\n    return (record["gatewayId"], {LEFT}) '
            "if record else None",
            "milliseconds",
        ),
        "no None": (
            f'def where_is(user):\n    {RECORD}\n    return record.get("gatewayId"), {LEFT} / 1000',
            "return None",
        ),
        "the connection": (
            f'def where_is(user):\n    {RECORD}\n    return (record["connId"], {LEFT} / 1000) '
            "if record else None",
            "is on g1",
        ),
        "raises": ("def where_is(user):\n    return 1 / 0", "ZeroDivisionError"),
    },
    "1.2": {
        "the whole journey": (
            "def slowest_step(trace):\n"
            "    return trace[0].stage, trace[-1].stage, trace[-1].us - trace[0].us",
            "whole journey",
        ),
        "a time of day": (
            "def slowest_step(trace):\n"
            "    last = max(trace, key=lambda hop: hop.us)\n"
            "    return trace[0].stage, last.stage, last.us",
            "time of day",
        ),
        "the first step": (
            "def slowest_step(trace):\n"
            "    a, b = trace[:2]\n"
            "    return a.stage, b.stage, b.us - a.us",
            "slowest step was",
        ),
    },
    "5.1": {
        "the highest settled": (
            "def committable(read, settled):\n    return max(settled, default=read[0] - 1) + 1",
            "is never read again",
        ),
        "nothing but whole batches": (
            "def committable(read, settled):\n"
            "    return read[-1] + 1 if settled == set(read) else read[0]",
            "may be committed, not only",
        ),
    },
    "5.2": {
        "ids of all senders together": (
            "def without_repeats(arrivals):\n"
            "    seen, kept = set(), []\n"
            "    for one in arrivals:\n"
            "        if one[1] is None or one[1] not in seen:\n"
            "            kept.append(one)\n"
            "        seen.add(one[1])\n"
            "    return kept",
            "unique for one sender only",
        ),
        "no id is an id": (
            "def without_repeats(arrivals):\n    return list(dict.fromkeys(arrivals))",
            "without an id",
        ),
        "contents": (
            "def without_repeats(arrivals):\n"
            "    seen, kept = set(), []\n"
            "    for one in arrivals:\n"
            "        if one[1] is None or (one[0], one[2]) not in seen:\n"
            "            kept.append(one)\n"
            "        seen.add((one[0], one[2]))\n"
            "    return kept",
            "compare ids, not contents",
        ),
    },
    "5.3": {
        "never committed is no lag": (
            "def total_lag(ends, committed):\n"
            "    return sum(end - committed[n] for n, end in ends.items() "
            "if committed[n] is not None)",
            "without a commit",
        ),
        "off by one": (
            "def total_lag(ends, committed):\n"
            "    return sum(end - (committed[n] or 0) - 1 for n, end in ends.items())",
            "next offset",
        ),
    },
    "9.1": {
        "heartbeats forgotten": (
            f"{SICK}\n"
            "    f = replace(f, pings_per_s=0)\n"
            "    used = used_of(f)\n"
            "    return max(used, key=used.get), max(used.values())",
            "Heartbeats are work too",
        ),
        "one core for all shards": (
            f"{SICK}\n"
            "    used = used_of(replace(f, shards=1))\n"
            "    return max(used, key=used.get), max(used.values())",
            "each has a core of its own",
        ),
        "a percentage": (
            f"{SICK}\n"
            "    used = used_of(f)\n"
            "    return max(used, key=used.get), 100 * max(used.values())",
            "the most of the three",
        ),
        "a name only": ("def bottleneck(f):\n    return 'broker'", "Return a pair"),
    },
    "9.2": {
        "a zone never fails": (
            f"{NEEDED}    return demand.zones * ceil(max(cpu, files) / demand.zones)",
            "enough until a zone fails",
        ),
        "cores to the brim": (
            f"{NEEDED}    return demand.zones * ceil(max(cpu * demand.busy, 1) / demand.zones)",
            "too few even with every zone up",
        ),
        "zones of different size": (
            f"{NEEDED}    return ceil(max(cpu, files, 1) * demand.zones / (demand.zones - 1))",
            "the same number in each zone",
        ),
        "not whole": (f"{NEEDED}    return max(cpu, files)", "whole number"),
    },
    "9.3": {
        "the faster one decides": (
            f"{SPREAD}    return min(gates, broker)",
            "the slower one decides",
        ),
        "one after the other": (f"{SPREAD}    return gates + broker", "side by side"),
        "all of each core": (f"{SPREAD}    return max(gates, broker) * spare", "spare share"),
    },
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[dict[str, Any]]:
    """What the exercises find in the kernel."""
    cluster = lab.Cluster("g1", "g2", name="exercises")
    with cluster:
        cluster.user("alice", on="g1")
        cluster.user("bob", on="g2")
        yield {"lab": lab, "cluster": cluster}


def run(namespace: dict[str, Any], *sources: str) -> dict[str, Any]:
    """Run cells one after another in a copy of the kernel's names."""
    names = dict(namespace)
    for source in sources:
        exec(source, names)
    return names


def cell(part: str, number: str) -> str:
    """Return the source of one part of an exercise: its stub, check or solution."""
    lesson = f"{int(number.partition('.')[0]):02}"
    return role(next(p for p in LESSONS if p.stem.startswith(lesson)), f"{part} {number}")


def test_every_exercise_is_tried_with_two_wrong_answers_at_least() -> None:
    roles = [
        one.metadata["wsgateway"]["role"]
        for path in LESSONS
        for one in cells(path, "code")
        if "role" in one.metadata.get("wsgateway", {})
    ]
    assert {name.removeprefix("stub ") for name in roles if name.startswith("stub")} == set(WRONG)
    assert all(len(mistakes) >= 2 for mistakes in WRONG.values())


@pytest.mark.parametrize("number", WRONG)
def test_unattempted_prints_one_stable_line_per_language(
    namespace: dict[str, Any], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run(namespace, cell("stub", number), cell("check", number))
    assert names["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not attempted yet.")
    assert chinese.startswith(f"练习 {number}：还没作答。")


@pytest.mark.parametrize("number", WRONG)
def test_the_stored_solution_passes(
    namespace: dict[str, Any], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    solution = cell("solution", number).replace("_solution(", "(")
    assert run(namespace, solution, cell("check", number))["done"] is True
    assert f"Exercise {number}: right." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "mistake"), [(number, mistake) for number in WRONG for mistake in WRONG[number]]
)
def test_a_wrong_answer_fails_with_a_useful_hint(
    namespace: dict[str, Any], number: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, hint = WRONG[number][mistake]
    assert run(namespace, answer, cell("check", number))["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not yet.")
    assert hint in english
    assert chinese.startswith(f"练习 {number}：还差一点。")
