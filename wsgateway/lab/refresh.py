"""`python -m wsgateway.lab.refresh [NOTEBOOK ...]`: run lessons and store their outputs.

Nothing else writes outputs. What is stored is what `pytest --nbval` compares with.
"""

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
_RECORDED = ("websockets", "redis", "msgspec", "matplotlib", "jupyterlab")


def refresh(path: Path, brokers: dict[str, str]) -> None:
    """Execute a notebook from top to bottom and store it with its outputs.

    Args:
        path: the notebook.
        brokers: names of the servers it runs on, recorded in its metadata.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the file is left as it was.
    """
    notebook: Any = _nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day: noise in every diff
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "wsgateway": {
            "python": platform.python_version(),
            **brokers,
            **{name: version(name) for name in _RECORDED},
        },
    }
    _nbformat.write(notebook, path)


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
