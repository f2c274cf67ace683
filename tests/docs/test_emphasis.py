"""No star of *emphasis* or **bold** shows: CommonMark does not see its end everywhere.

Beside Chinese it often does not: `*先猜。*然后` stays as it is written, stars and all.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from pages import NOTEBOOKS, PAGES, name_of


def shown_stars(text: str) -> Iterator[str]:
    """Yield the words in which a reader would see a star."""
    for block in MarkdownIt().parse(text):
        for inline in block.children or []:
            if inline.type == "text" and "*" in inline.content:
                yield inline.content


def test_a_star_that_shows_is_found() -> None:
    assert list(shown_stars("*先猜。*然后运行")) != []
    assert list(shown_stars("*先猜*，然后**运行** `2 * 3`")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages(page: Path) -> None:
    assert list(shown_stars(page.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebooks(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert [star for text in texts for star in shown_stars(text)] == []
