"""Exercises: unattempted says so, the stored solution passes, wrong answers fail with a hint.

The wrong answers of lesson 1 are in `wrong_01.py`, and so on:

    SETUP    source run first, once for all exercises of the lesson: what their checks find
             in the kernel (optional)
    WRONG    exercise -> {what is wrong with it: (source, a word of the English hint)}
"""

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lessons import LESSONS, cells, role

from wsgateway import lab

FILES = {
    path.stem.removeprefix("wrong_"): importlib.import_module(path.stem)
    for path in sorted(Path(__file__).parent.glob("wrong_*.py"))
}
WRONG = {number: wrong for file in FILES.values() for number, wrong in file.WRONG.items()}

Names = dict[str, Any]
every_exercise = pytest.mark.parametrize("number", WRONG)


def lesson_of(number: str) -> str:
    """Return the two digits of an exercise's lesson."""
    return f"{int(number.partition('.')[0]):02}"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Callable[[str], Names]]:
    """What the exercises of a lesson find in the kernel."""
    ready: dict[str, Names] = {}

    def names(number: str) -> Names:
        lesson = lesson_of(number)
        if lesson not in ready:
            setup = getattr(FILES[lesson], "SETUP", "")
            ready[lesson] = run({"lab": lab}, setup)
        return ready[lesson]

    yield names
    lab.close()


def run(namespace: Names, *sources: str) -> Names:
    """Run cells one after another in a copy of the kernel's names."""
    names = dict(namespace)
    for source in sources:
        exec(source, names)
    return names


def cell(part: str, number: str) -> str:
    """Return the source of one part of an exercise: its stub, check or solution."""
    return role(
        next(p for p in LESSONS if p.stem.startswith(lesson_of(number))), f"{part} {number}"
    )


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_exercise_is_tried_with_two_wrong_answers_at_least(path: Path) -> None:
    roles = [one.metadata.get("wsgateway", {}).get("role", "") for one in cells(path, "code")]
    exercises = {name.removeprefix("stub ") for name in roles if name.startswith("stub")}
    tried = {number for number in WRONG if lesson_of(number) == path.stem[:2]}
    assert exercises == tried, f"tests/notebooks/wrong_{path.stem[:2]}.py"
    assert all(len(WRONG[number]) >= 2 for number in exercises)


@every_exercise
def test_unattempted_prints_one_stable_line_per_language(
    kernel: Callable[[str], Names], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stub, check = cell("stub", number), cell("check", number)
    assert "lab.TODO" in stub
    names = kernel(number)
    capsys.readouterr()
    assert run(names, stub, check)["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not attempted yet.")
    assert chinese.startswith(f"练习 {number}：还没作答。")


@every_exercise
def test_the_stored_solution_passes(
    kernel: Callable[[str], Names], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    solution = re.sub(r"\b(\w+)_solution\b", r"\1", cell("solution", number))
    assert run(kernel(number), solution, cell("check", number))["done"] is True
    assert f"Exercise {number}: right." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "mistake"), [(number, mistake) for number in WRONG for mistake in WRONG[number]]
)
def test_a_wrong_answer_fails_with_a_useful_hint(
    kernel: Callable[[str], Names], number: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, hint = WRONG[number][mistake]
    names = kernel(number)
    capsys.readouterr()
    assert run(names, answer, cell("check", number))["done"] is False
    english, chinese = capsys.readouterr().out.splitlines()
    assert english.startswith(f"Exercise {number}: not yet.")
    assert hint in english
    assert chinese.startswith(f"练习 {number}：还差一点。")
