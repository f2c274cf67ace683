"""`make` on a machine that is not ready says what is missing, and leaves nothing behind."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(directory: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run `make test` in a copy of the project's Makefile, with this interpreter."""
    shutil.copy(ROOT / "Makefile", directory)
    shutil.copy(ROOT / "pyproject.toml", directory)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", "test", f"PYTHON={python}"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def interpreter(directory: Path, *, new_enough: bool) -> str:
    """Write a stand-in for Python: old, or new enough but without ensurepip."""
    path = directory / "stand-in-python"
    answers = "*ensurepip*) exit 1;; *version_info*) exit 0;;" if new_enough else ""
    path.write_text(f'#!/bin/sh\ncase "$2" in {answers} esac\nexit 1\n')
    path.chmod(0o755)
    return str(path)


def test_an_old_python_is_named_with_the_way_out(tmp_path: Path) -> None:
    ran = make(tmp_path, interpreter(tmp_path, new_enough=False))
    assert ran.returncode != 0
    assert "older than Python 3.11; name a newer one: make PYTHON=" in ran.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_missing_python_is_told_the_same(tmp_path: Path) -> None:
    ran = make(tmp_path, "no-such-python")
    assert ran.returncode != 0
    assert "no-such-python is missing or older than Python 3.11" in ran.stderr


def test_a_python_without_ensurepip_is_told_which_package_to_install(tmp_path: Path) -> None:
    ran = make(tmp_path, interpreter(tmp_path, new_enough=True))
    assert ran.returncode != 0
    assert "sudo apt install python3-venv" in ran.stderr
    assert not (tmp_path / ".venv").exists()
