"""What every lesson has, from its question to the cell that cleans up.

Every experiment goes the same way: predict, run, what you should see, explain, change one thing.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lessons import LESSONS, cells, part, sections

_WAY = ["predict", "run", "What you should see", "Explain", "Change one thing"]
_END = ["Read the code", "Recap", "Clean up"]

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def way(cells: list[Any]) -> list[str]:
    """Return what a section does, step by step; neighbouring code cells are one step.

    Code that belongs to the explanation, to try a repair for instance, is no step of its own.
    """
    steps: list[str] = []
    for cell in cells:
        heading = re.match(r"### (.+?) / ", cell.source)
        step = heading[1] if heading else "run" if cell.cell_type == "code" else ""
        if "**Predict.**" in cell.source:
            step = "predict"
        explains = step == "run" and steps[-1:] == ["Explain"]
        if step and not explains and steps[-1:] != [step]:
            steps.append(step)
    return steps


def experiments(path: Path) -> dict[str, list[Any]]:
    """Return the sections that begin with a prediction."""
    found = sections(path)
    return {name: cells for name, cells in found.items() if "**Predict.**" in cells[0].source}


@every_lesson
def test_it_begins_with_a_question_and_what_you_can_do_afterwards(path: Path) -> None:
    first = cells(path, "markdown")[0].source
    number = int(path.stem[:2])
    assert re.match(rf"# Lesson {number}: .+ / 第 {number} 课：", first)
    english, chinese = part(first, "en"), part(first, "zh")
    assert english.startswith("**The question.** ")
    assert chinese.startswith("**问题**：")
    assert "After this lesson you can\n\n- " in english
    assert "学完这一课，你能够\n\n- " in chinese
    assert len(re.findall(r"^- ", english, re.MULTILINE)) >= 3


@every_lesson
def test_every_experiment_goes_the_whole_way(path: Path) -> None:
    found = {name: way(cells) for name, cells in experiments(path).items()}
    assert len(found) >= 3
    assert found == dict.fromkeys(found, _WAY)


@every_lesson
def test_every_stored_guess_is_compared_with_what_was_measured(path: Path) -> None:
    code = "\n".join(cell.source for cell in cells(path, "code"))
    guesses = re.findall(r"^(\w+) = lab\.predict\(", code, re.MULTILINE)
    assert len(guesses) >= 3
    assert [guess for guess in guesses if f"{guess}.compare(" not in code] == []


@every_lesson
def test_a_misconception_is_planted_where_something_is_predicted(path: Path) -> None:
    # It stands in italics: *a log keeps everything in order*. The instructor's guide quotes it.
    planted = [
        [re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", part(cell.source, lang)) for lang in ("en", "zh")]
        for cells in experiments(path).values()
        for cell in cells[:1]
    ]
    assert any(english for english, _ in planted)
    assert all(len(english) == len(chinese) for english, chinese in planted)


@every_lesson
def test_who_comes_late_finds_a_checkpoint_half_way(path: Path) -> None:
    names = list(sections(path))
    assert names.count("Checkpoint") == 1
    order = [names.index(name) for name in experiments(path)]
    assert order[0] < names.index("Checkpoint") < order[-1]


@every_lesson
def test_every_exercise_has_a_stub_a_check_and_a_solution(path: Path) -> None:
    exercises = {
        name: [cell.metadata["wsgateway"]["role"] for cell in cells if cell.cell_type == "code"]
        for name, cells in sections(path).items()
        if name.startswith("Exercise")
    }
    assert 2 <= len(exercises) <= 3
    for name, roles in exercises.items():
        number = name.removeprefix("Exercise ")
        assert roles == [f"{part} {number}" for part in ("stub", "check", "solution")]


@every_lesson
def test_it_ends_with_the_code_a_recap_and_a_cleanup(path: Path) -> None:
    found = sections(path)
    assert list(found)[-3:] == _END
    shown = "\n".join(cell.source for cell in found["Read the code"])
    assert "getsource(" in shown, "shown from the installed source, never pasted"
    recap = part(found["Recap"][0].source, "en")
    assert len(re.findall(r"^- ", recap, re.MULTILINE)) >= 3
    assert re.search(r"\]\(\.\./(?:wsgateway|docs)/", recap), "a link to read on"
    assert ".close()" in found["Clean up"][-1].source


@pytest.mark.parametrize(("path", "after"), [*pairwise(LESSONS)], ids=lambda path: path.stem[:2])
def test_the_recap_leads_to_the_next_lesson(path: Path, after: Path) -> None:
    recap = sections(path)["Recap"][0].source
    assert recap.count(f"]({after.name})") == 2, "once in each language"


@every_lesson
def test_a_seed_that_is_used_is_printed(path: Path) -> None:
    code = cells(path, "code")
    if any(re.search(r"\bseed=|\bSEED = ", cell.source) for cell in code):
        printed = "".join(output.get("text", "") for cell in code for output in cell.outputs)
        assert re.search(r"\bseed \d+", printed)
        assert re.search(r"种子 \d+", printed)
