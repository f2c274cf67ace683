"""Whoever joins a lesson at its checkpoint sees what those see who were there from the start."""

from pathlib import Path

import nbformat
import pytest
from lessons import LESSONS, told
from nbclient import NotebookClient

WITH_CHECKPOINT = [path for path in LESSONS if "## Checkpoint / " in path.read_text("utf-8")]


def test_there_are_some() -> None:
    assert WITH_CHECKPOINT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", WITH_CHECKPOINT, ids=lambda path: path.stem)
def test_a_lesson_goes_on_from_its_checkpoint(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in stored.cells]
    begin = next(n for n, source in enumerate(sources) if source.startswith("## Checkpoint / "))
    joined = nbformat.read(path, as_version=4)
    stored.cells, joined.cells = stored.cells[begin + 2 :], joined.cells[begin:]
    NotebookClient(joined, timeout=120, kernel_name="python3").execute()
    joined.cells = joined.cells[2:]  # the checkpoint itself is quiet for the others
    assert told(joined) == told(stored)
