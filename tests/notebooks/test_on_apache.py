"""The lesson on logs says the same on Apache Kafka as on the embedded broker it was stored on."""

import nbformat
import pytest
from lessons import LESSONS, told
from nbclient import NotebookClient

LESSON_5 = next(path for path in LESSONS if path.stem.startswith("05"))


@pytest.mark.timeout(300)
def test_lesson_5_on_apache_kafka(apache_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGATEWAY_LESSON_KAFKA", "apache")
    stored = nbformat.read(LESSON_5, as_version=4)
    running = nbformat.read(LESSON_5, as_version=4)
    NotebookClient(running, timeout=120, kernel_name="python3").execute()
    named = [
        cell.outputs[0].text for cell in running.cells if "print(cluster.broker)" in cell.source
    ]
    assert "Apache Kafka" in named[0]
    assert told(running) == told(stored)
