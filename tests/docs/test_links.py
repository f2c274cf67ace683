"""Every link of the documents leads somewhere, and nowhere on somebody's own machine."""

import re
from pathlib import Path

import pytest
from pages import NOTEBOOKS, PAGES, ROOT, name_of, slugs, targets

TEXTS = [*PAGES, ROOT / "Makefile", ROOT / "docker-compose.yml", ROOT / "pyproject.toml"]
TEXTS += [*(ROOT / "docs").rglob("*.svg"), *NOTEBOOKS]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp|private|mnt)/")


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=name_of)
def test_every_link_resolves(page: Path) -> None:
    for target in targets(page):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if anchor:
            assert anchor in slugs(linked), target


@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_no_path_of_somebodys_machine(text: Path) -> None:
    assert not MACHINE_PATH.search(text.read_text("utf-8"))
