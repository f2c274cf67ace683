"""What the notebook files hold: complete, clean, small, and comparable by nbval."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from lessons import LESSONS, cells

from wsgateway.lab.refresh import digest

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@every_lesson
def test_every_code_cell_was_executed_in_order(path: Path) -> None:
    # nbval compares nothing in a cell whose execution_count is null.
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_lesson
def test_no_stderr_and_no_errors(path: Path) -> None:
    for cell in cells(path, "code"):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source


@every_lesson
def test_small_and_without_paths_of_a_machine(path: Path) -> None:
    stored = path.read_text("utf-8")
    assert len(stored) < 1_000_000
    without_images = re.sub(r'"image/png": "[^"]*"', "", stored)
    assert not re.search(r"/(?:home|Users|root|work|tmp)/", without_images)


@every_lesson
def test_records_what_it_ran_on(path: Path) -> None:
    recorded = json.loads(path.read_text("utf-8"))["metadata"]["wsgateway"]
    assert recorded["broker"].split()[0] in ("Valkey", "Redis")
    assert recorded["kafka"]
    assert recorded["python"]
    assert recorded["wsgateway"]


@every_lesson
def test_outputs_are_as_make_refresh_stored_them(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata["wsgateway"]["digest"] == digest(notebook), (
        f"code or outputs changed since: python -m wsgateway.lab.refresh {path.name}"
    )


@every_lesson
def test_few_outputs_are_left_uncompared(path: Path) -> None:
    code = cells(path, "code")
    ignored = [c for c in code if "nbval-ignore-output" in c.metadata.get("tags", [])]
    assert len(ignored) <= len(code) / 5


@every_lesson
def test_code_cells_are_short(path: Path) -> None:
    lengths = [len(cell.source.splitlines()) for cell in cells(path, "code")]
    assert max(lengths) <= 25, "machinery belongs into the package"
    assert sorted(lengths)[len(lengths) // 2] <= 12


@every_lesson
def test_every_picture_is_described_in_both_languages(path: Path) -> None:
    # nbval compares the description, and who cannot see the picture reads it.
    outputs = [output for cell in cells(path, "code") for output in cell.outputs]
    pictures = [output.data for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
    for data in pictures:
        english, chinese = data["text/plain"].splitlines()
        assert not re.search(r"[\u4e00-\u9fff]", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)


@every_lesson
def test_solutions_are_folded(path: Path) -> None:
    for cell in cells(path, "code"):
        if cell.metadata.get("wsgateway", {}).get("role", "").startswith("solution"):
            assert cell.metadata["jupyter"]["source_hidden"] is True
