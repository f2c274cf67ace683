"""The lesson on logs says the same on Apache Kafka as on the embedded broker it was stored on."""

from typing import Any

import nbformat
import pytest
from lessons import LESSONS
from nbclient import NotebookClient

LESSON_5 = next(path for path in LESSONS if path.stem.startswith("05"))


def told(notebook: Any) -> list[str]:
    """Return what the cells printed, those left out that may differ from run to run."""
    return [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code" and "nbval-ignore-output" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "stream"
    ]


@pytest.mark.timeout(300)
def test_lesson_5_on_apache_kafka(apache_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGATEWAY_LESSON_KAFKA", "apache")
    stored = nbformat.read(LESSON_5, as_version=4)
    running = nbformat.read(LESSON_5, as_version=4)
    NotebookClient(running, timeout=120, kernel_name="python3").execute()
    named = [cell.outputs[0].text for cell in running.cells if "cluster.broker)" in cell.source]
    assert "Apache Kafka" in named[0]
    assert told(running) == told(stored)
