"""Exercises: unattempted says so, the stored solution passes, wrong answers fail with a hint."""

from collections.abc import Iterator
from typing import Any

import pytest
from lessons import LESSONS, role

from wsgateway import lab

LESSON_1 = next(path for path in LESSONS if path.stem.startswith("01"))

RECORD = 'record = cluster.redis("HGETALL", f"presence:{user}")'
LEFT = 'cluster.redis("PTTL", f"presence:{user}")'
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
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[dict[str, Any]]:
    """What the exercises of lesson 1 find in the kernel."""
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


def check(number: str) -> str:
    return role(LESSON_1, f"check {number}")


@pytest.mark.parametrize("number", WRONG)
def test_unattempted_prints_one_stable_line_per_language(
    namespace: dict[str, Any], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run(namespace, role(LESSON_1, f"stub {number}"), check(number))
    assert names["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not attempted yet.")
    assert chinese.startswith(f"练习 {number}：还没作答。")


@pytest.mark.parametrize("number", WRONG)
def test_the_stored_solution_passes(
    namespace: dict[str, Any], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    solution = role(LESSON_1, f"solution {number}").replace("_solution(", "(")
    assert run(namespace, solution, check(number))["done"] is True
    assert f"Exercise {number}: right." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "mistake"), [(number, mistake) for number in WRONG for mistake in WRONG[number]]
)
def test_a_wrong_answer_fails_with_a_useful_hint(
    namespace: dict[str, Any], number: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, hint = WRONG[number][mistake]
    assert run(namespace, answer, check(number))["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not yet.")
    assert hint in english
    assert chinese.startswith(f"练习 {number}：还差一点。")
