"""The Dockerfile and what the package says of itself, read for the tests of both."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")


def instruction(name: str) -> str:
    """Return what follows an instruction that the Dockerfile's last stage has once."""
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    [found] = re.findall(rf"^{name} (.*)$", last_stage, re.MULTILINE)
    return str(found)
