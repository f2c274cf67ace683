"""`python -m wsgateway.lab.refresh [NOTEBOOK ...]`: run lessons and store their outputs.

Nothing else writes outputs. What is stored is what `pytest --nbval` compares with.
"""

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from wsgateway.brokers import RedisServer, TansuServer

_nbformat: Any = nbformat  # its functions have no types

NOTEBOOKS = Path("notebooks")
_CELL_TIMEOUT_S = 120
_RECORDED = ("wsgateway", "websockets", "redis", "aiokafka", "msgspec", "matplotlib", "jupyterlab")


def digest(notebook: Any) -> str:
    """Return a fingerprint of the code cells: what they say and what they put out."""
    # Why: an output changed by hand, or code changed after it ran, no longer matches it.
    # 原因：手改过的输出，或者运行之后又改过的代码，都对不上这个指纹。
    cells = [
        (cell.source, cell.execution_count, cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()[:16]


def refresh(path: Path, brokers: dict[str, str]) -> None:
    """Execute a notebook from top to bottom and store it with its outputs.

    Args:
        path: the notebook.
        brokers: names of the servers it runs on, recorded in its metadata.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the file is left as it was.
        ValueError: a cell wrote to stderr; the file is left as it was.
    """
    notebook: Any = _nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)  # times of day: noise in every diff
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise ValueError(f"{path}: cell {number} wrote to stderr: {output.text}")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "wsgateway": {
            "python": platform.python_version(),
            **brokers,
            **{name: version(name) for name in _RECORDED},
        },
    }
    store(notebook, path)


def store(notebook: Any, path: Path) -> None:
    """Write a notebook that has just run, with the digest of what it holds."""
    # Why: the digest is taken of what a reader gets back; the file format splits and joins lines.
    # 原因：指纹取自读回来的内容；写入文件时，各行会拆开再拼起来。
    notebook = _nbformat.reads(_nbformat.writes(notebook), as_version=4)
    notebook.metadata["wsgateway"]["digest"] = digest(notebook)
    whole = path.with_suffix(".ipynb.part")
    whole.write_text(_nbformat.writes(notebook) + "\n", "utf-8")
    whole.replace(path)


def main() -> int:
    """Refresh the notebooks named, or all of them."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    with RedisServer() as redis, TansuServer() as kafka:
        brokers = {"broker": redis.name, "kafka": kafka.name}
    for path in paths:
        refresh(path, brokers)
        print(f"stored {path}, on {', '.join(brokers.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
