"""Refreshing: what runs is stored whole, with its digest; what fails leaves the file alone."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from wsgateway.lab.refresh import digest, refresh

ROOT = Path(__file__).parents[2]
BROKERS = {"broker": "Valkey 9.1.2", "kafka": "Tansu 0.6.0"}


def lesson(folder: Path, *sources: str) -> Path:
    """Write a notebook of these code cells."""
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    path = folder / "00-lesson.ipynb"
    nbformat.write(notebook, path)
    return path


def test_outputs_are_stored_with_what_they_ran_on(tmp_path: Path) -> None:
    path = lesson(tmp_path, "print('one')\nprint('two')", "1 + 1")
    refresh(path, BROKERS)
    stored = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in stored.cells] == [1, 2]
    assert stored.cells[0].outputs[0].text == "one\ntwo\n"
    recorded = stored.metadata["wsgateway"]
    assert recorded["broker"] == "Valkey 9.1.2"
    assert recorded["wsgateway"]
    assert recorded["digest"] == digest(stored)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("changed", ["an output", "the code", "the count"])
def test_the_digest_notices_a_change_by_hand(tmp_path: Path, changed: str) -> None:
    path = lesson(tmp_path, "print(6 * 7)")
    refresh(path, BROKERS)
    stored = nbformat.read(path, as_version=4)
    cell = stored.cells[0]
    if changed == "an output":
        cell.outputs[0].text = "43\n"
    elif changed == "the code":
        cell.source = "print(6 * 8)"
    else:
        cell.execution_count = 2
    assert digest(stored) != stored.metadata["wsgateway"]["digest"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", CellExecutionError),
        ("import sys\nprint('beware', file=sys.stderr)", ValueError),
    ],
)
def test_a_lesson_that_fails_is_left_as_it_was(
    tmp_path: Path, source: str, error: type[Exception]
) -> None:
    path = lesson(tmp_path, source)
    before = path.read_bytes()
    with pytest.raises(error):
        refresh(path, BROKERS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_else_writes_notebooks() -> None:
    programs = [*(ROOT / "wsgateway").rglob("*.py"), ROOT / "Makefile", ROOT / ".ci" / "run"]
    writer = re.compile(r"nbformat\.writes?\(|nbconvert|--inplace")
    writers = [path.name for path in programs if writer.search(path.read_text("utf-8"))]
    assert writers == ["refresh.py"]
