"""The documents, taken apart: prose in two languages, and what both languages share."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])

CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_DIV = r'^<div lang="(\w+)">\n\n(.*?)\n\n</div>$'
_FENCE = r"^```(\w*)\n(.*?)^```$"
_FLAGS = re.DOTALL | re.MULTILINE
_SPAN = re.compile(r"`([^`]+)`")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def name_of(page: Path) -> str:
    """Return a page's path inside the project: the id of its tests."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Prose:
    """One `<div lang>`: text of one language."""

    lang: str
    text: str

    @property
    def words(self) -> str:
        """Its text without link targets and code spans."""
        return _SPAN.sub("", LINK.sub(r"\2", self.text))

    @property
    def code(self) -> Counter[str]:
        """Its code spans."""
        return Counter(_SPAN.findall(self.text))

    @property
    def links(self) -> Counter[str]:
        """The targets of its links."""
        return Counter(target for _, _, target in LINK.findall(self.text))

    @property
    def items(self) -> int:
        """How many list items it has."""
        return len(re.findall(r"^\s*(?:[-*]|\d+\.) ", self.text, re.MULTILINE))

    @property
    def numbers(self) -> Counter[str]:
        """The numbers in its words, outside code and links."""
        return Counter(_NUMBER.findall(self.words))


@dataclass
class Page:
    """A Markdown file of this project."""

    headings: list[str] = field(default_factory=list)
    prose: list[Prose] = field(default_factory=list)
    fences: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)

    @property
    def spans(self) -> list[str]:
        """All code spans: of the prose and of the tables."""
        rows = " ".join(cell for row in self.rows for cell in row)
        return [*_SPAN.findall(rows), *(s for p in self.prose for s in p.code.elements())]


def read(page: Path) -> Page:
    """Take a page apart. What belongs nowhere ends up in `stray`."""
    parsed = Page()
    text = re.sub(r"<!--.*?-->", "", page.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(_FENCE, _take_fence(parsed), text, flags=_FLAGS)
    text = re.sub(_DIV, _take_prose(parsed), text, flags=_FLAGS)
    for line in text.splitlines():
        if line.startswith("#"):
            parsed.headings.append(line)
        elif line.startswith("|"):
            parsed.rows.append(cells(line))
        elif line and not line.startswith("!["):
            parsed.stray.append(line)
    return parsed


def cells(row: str) -> list[str]:
    """Return the cells of a table row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def table(page: Path, name: str) -> list[list[str]]:
    """Return the body rows of the table between `<!-- name:begin -->` and `<!-- name:end -->`."""
    return [cells(line) for line in block(page, name).strip().splitlines()[2:]]


def block(page: Path, name: str) -> str:
    """Return the text between the two markers of `name`."""
    text = page.read_text("utf-8")
    return text.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]


def section(page: Path, heading: str) -> list[list[str]]:
    """Return the body rows of the first table below the heading that starts with `heading`."""
    text = page.read_text("utf-8").split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return [cells(line) for line in text.splitlines() if line.startswith("|")][2:]


def targets(page: Path) -> list[str]:
    """Return the targets of all links and images of a page or a notebook."""
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return [target for _, _, target in LINK.findall(text)]


def slugs(page: Path) -> set[str]:
    """Return the anchors GitHub makes for the headings."""
    texts = (heading.lstrip("#").strip().lower() for heading in read(page).headings)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


def _take_fence(parsed: Page) -> Callable[[re.Match[str]], str]:
    def take(match: re.Match[str]) -> str:
        parsed.fences.append((match[1], match[2]))
        return ""

    return take


def _take_prose(parsed: Page) -> Callable[[re.Match[str]], str]:
    def take(match: re.Match[str]) -> str:
        parsed.prose.append(Prose(match[1], match[2]))
        return ""

    return take
