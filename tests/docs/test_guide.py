"""The instructor's guide: its minutes, misconceptions and routes are those of the lessons."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import NOTEBOOKS, ROOT, block, name_of, table

GUIDE = ROOT / "docs" / "instructor-guide.md"
ROUTES = {"half-day": 180, "one-day": 360, "day-one": 300, "day-two": 300}  # minutes, lunch apart

every_lesson = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def sources(path: Path) -> list[str]:
    """Return the text of each Markdown cell."""
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def timed(path: Path) -> dict[str, int]:
    """Return the bilingual heading of each timed section -> its minutes."""
    found: dict[str, int] = {}
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    for cell in cells:
        minutes = cell["metadata"].get("wsgateway", {}).get("minutes")
        if minutes is not None:
            found[cell["source"][0].lstrip("# ").strip()] = minutes
    return found


def chapter(path: Path) -> str:
    """Return what the guide says about a lesson."""
    title = next(iter(timed(path)))
    text = GUIDE.read_text("utf-8")
    assert f"\n## {title}\n" in text, title
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@every_lesson
def test_the_minutes_are_those_of_the_lesson(path: Path) -> None:
    minutes = timed(path)
    title = next(iter(minutes))
    rows = [
        [f"[{title}](../notebooks/{path.name})", str(sum(minutes.values()))],
        ["The question / 问题", str(minutes.pop(title))],
        *([heading, str(spent)] for heading, spent in minutes.items()),
    ]
    assert table(GUIDE, f"minutes-{path.stem[:2]}") == rows


@every_lesson
@pytest.mark.parametrize("word", ["Misconception", "误解"])
def test_the_misconception_is_the_one_the_lesson_plants(path: Path, word: str) -> None:
    told = re.findall(rf"\*\*{word}\.?\*\*[^*]*\*([^*]+)\*", chapter(path))
    assert len(told) == 1
    planted = [" ".join(source.split()) for source in sources(path)]
    assert any(f"*{told[0]}*" in source for source in planted), told[0]


@every_lesson
def test_each_lesson_has_a_goal_questions_and_what_goes_wrong(path: Path) -> None:
    text = chapter(path)
    for word in ("Goal", "Questions, with answers", "What goes wrong in the room"):
        assert f"**{word}.**" in text
    english = text.split('<div lang="zh">')[0]
    questions, troubles = english.split("**What goes wrong")
    assert len(re.findall(r"^- \*.+?\?\* \S", questions, re.MULTILINE)) >= 3
    assert len(re.findall(r"^- ", troubles, re.MULTILINE)) >= 3


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_adds_up_and_gives_every_lesson_its_time(route: str) -> None:
    clock, rows = 0, table(GUIDE, route)
    titles = {f"../notebooks/{path.name}": timed(path) for path in NOTEBOOKS}
    for begins, what, left_out, minutes in rows:
        assert begins == f"{clock // 60}:{clock % 60:02}"
        clock += int(minutes)
        if link := re.search(r"\]\(([^)]+\.ipynb)\)", what):
            sections = titles[link[1]]
            skipped = [one for one in left_out.split("; ") if one]
            assert set(skipped) <= set(sections), "sections as the lesson names them"
            assert int(minutes) >= sum(sections.values()) - sum(sections[one] for one in skipped)
    assert clock == ROUTES[route]


def test_two_days_have_every_lesson_once() -> None:
    text = block(GUIDE, "day-one") + block(GUIDE, "day-two")
    linked = re.findall(r"\]\(\.\./notebooks/([^)]+)\)", text)
    assert sorted(linked) == [path.name for path in NOTEBOOKS]
