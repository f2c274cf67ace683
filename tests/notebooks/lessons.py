"""Reading lessons: their cells, languages and exercises."""

import re
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# Terms with a plain everyday sense in English, where Chinese rightly uses another word.
_EVERYDAY = {
    "accepted", "batch", "claim", "client", "cluster", "deadline", "delivered", "forward", "gap",
    "hop", "offline", "race", "record", "refresh", "register", "route", "routed", "sender",
    "settled", "status", "timeout", "trace", "unknown", "user", "window",
}  # fmt: skip
# What a term may be shortened to where it is clear.
_SHORT = {"broker": "代理", "presence": "在线", "throughput": "吞吐"}


def cells(path: Path, kind: str) -> list[Any]:
    """Return the cells of one kind, in order."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def sections(path: Path) -> dict[str, list[Any]]:
    """Return the English heading of each section -> its cells."""
    found: dict[str, list[Any]] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        heading = re.match(r"## (.+?) / ", cell.source)
        if cell.cell_type == "markdown" and heading:
            found[heading[1]] = []
        if found:
            found[list(found)[-1]].append(cell)
    return found


def part(source: str, lang: str) -> str:
    """Return what a Markdown cell says in one language."""
    found = re.findall(rf'<div lang="{lang}">\n\n(.*?)\n\n</div>', source, re.DOTALL)
    assert len(found) == 1, f"one {lang} part expected, {len(found)} found in: {source[:60]}"
    return str(found[0])


def role(path: Path, name: str) -> str:
    """Return the source of the code cell with this role ("stub 1.1", "check 1.1", ...)."""
    (source,) = (
        cell.source
        for cell in cells(path, "code")
        if cell.metadata.get("wsgateway", {}).get("role") == name
    )
    return str(source)


def glossary() -> dict[str, str]:
    """Return English term -> Chinese term, as `docs/glossary.md` fixes them."""
    terms = {}
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8").partition("<!-- terms:end -->")[0]
    for line in text.splitlines():
        row = re.fullmatch(r"\| ([^|]+?) \| ([^|]+?) \| [^|]+ \|", line)
        if row and row[1] != "English":
            terms[re.sub(r" \(.*\)", "", row[1])] = row[2]
    return terms


def missing_terms(english: str, chinese: str) -> dict[str, str]:
    """Return the glossary's terms that the English uses and the Chinese does not."""
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", english)
    return {
        term: wanted
        for term, wanted in glossary().items()
        if term not in _EVERYDAY
        and re.search(rf"\b{re.escape(term)}s?\b", prose)
        and not any(word in chinese for word in (wanted, term, _SHORT.get(term, wanted)))
    }


def told(notebook: Any) -> list[str]:
    """Return what the cells printed, those left out that may differ from run to run."""
    return [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code" and "nbval-ignore-output" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "stream"
    ]
