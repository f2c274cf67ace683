"""English and Chinese stay in step, cell by cell."""

import re
from pathlib import Path
from typing import Any

import pytest
from lessons import LESSONS, cells, missing_terms, part

MARKDOWN = [
    pytest.param(cell.source, id=f"{path.stem[:2]}-{number}")
    for path in LESSONS
    for number, cell in enumerate(cells(path, "markdown"))
]


def counts(text: str) -> dict[str, Any]:
    """What both languages must have in equal measure."""
    outside = re.sub(r"`[^`]*`", "", text)
    return {
        "code spans": sorted(re.findall(r"`([^`]+)`", text)),
        "links": sorted(re.findall(r"\]\(([^)]+)\)", text)),
        "list items": len(re.findall(r"^(?:- |\d+\. )", text, re.MULTILINE)),
        "table rows": len(re.findall(r"^\|", text, re.MULTILINE)),
        "numbers": sorted(re.findall(r"\d[\d,.]*\d|\d", outside)),
    }


def test_there_are_lessons() -> None:
    assert LESSONS
    assert MARKDOWN


@pytest.mark.parametrize("source", MARKDOWN)
def test_one_bilingual_heading_then_english_then_chinese(source: str) -> None:
    heading, rest = source.split("\n", 1)
    assert re.fullmatch(r"#{1,4} [^/]+ / .*[\u4e00-\u9fff].*", heading)
    assert not re.search(r"^#", rest, re.MULTILINE)
    assert source.index('lang="en"') < source.index('lang="zh"')
    assert not re.search(r"[\u4e00-\u9fff]", part(source, "en"))
    assert re.search(r"[\u4e00-\u9fff]", part(source, "zh"))


@pytest.mark.parametrize("source", MARKDOWN)
def test_both_languages_say_the_same_things(source: str) -> None:
    assert counts(part(source, "en")) == counts(part(source, "zh"))


@pytest.mark.parametrize("source", MARKDOWN)
def test_no_cjk_punctuation_inside_bold(source: str) -> None:
    # CommonMark does not close ** after it when a letter follows: the stars would show.
    for bold in re.findall(r"\*\*([^*]+)\*\*", re.sub(r"`[^`]*`", "", source)):
        assert not re.search(r"[，。：；！？、（）“”《》]", bold)


@pytest.mark.parametrize("source", MARKDOWN)
def test_chinese_uses_the_glossary(source: str) -> None:
    english, chinese = part(source, "en"), part(source, "zh")
    assert missing_terms(english, chinese) == {}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_minutes_are_given_and_fit_a_lesson(path: Path) -> None:
    minutes = [
        cell.metadata["wsgateway"]["minutes"]
        for cell in cells(path, "markdown")
        if "wsgateway" in cell.metadata
    ]
    assert 20 <= sum(minutes) <= 45
