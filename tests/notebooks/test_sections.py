"""Every experiment goes the same way: predict, run, what you should see, explain, change."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lessons import LESSONS

_WAY = ["predict", "run", "What you should see", "Explain", "Change one thing"]


def sections(path: Path) -> dict[str, list[Any]]:
    """Return heading of each section -> its cells."""
    found: dict[str, list[Any]] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        heading = re.match(r"## (.+?) / ", cell.source)
        if cell.cell_type == "markdown" and heading:
            found[heading[1]] = []
        if found:
            found[list(found)[-1]].append(cell)
    return found


def way(cells: list[Any]) -> list[str]:
    """Return what a section does, step by step; neighbouring code cells are one step."""
    steps: list[str] = []
    for cell in cells:
        heading = re.match(r"### (.+?) / ", cell.source)
        step = heading[1] if heading else "run" if cell.cell_type == "code" else ""
        if "**Predict.**" in cell.source:
            step = "predict"
        if step and steps[-1:] != [step]:
            steps.append(step)
    return steps


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_experiment_goes_the_whole_way(path: Path) -> None:
    experiments = {
        name: way(cells)
        for name, cells in sections(path).items()
        if "**Predict.**" in cells[0].source
    }
    assert len(experiments) >= 3
    assert experiments == dict.fromkeys(experiments, _WAY)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
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
