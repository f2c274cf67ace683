"""English and Chinese say the same, as far as a machine can tell."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from lessons import missing_terms
from pages import CJK, PAGES, ROOT, name_of, read, table

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_every_heading_is_in_both_languages(page: Path) -> None:
    for heading in read(page).headings:
        english, slash, chinese = heading.partition(" / ")
        assert slash, heading
        assert not CJK.search(english), heading
        assert CJK.search(chinese), heading


@every_page
def test_all_prose_is_marked_with_its_language(page: Path) -> None:
    assert read(page).stray == []


@every_page
def test_each_english_block_is_followed_by_its_chinese_one(page: Path) -> None:
    languages = [prose.lang for prose in read(page).prose]
    assert languages == ["en", "zh"] * (len(languages) // 2)


@every_page
def test_the_two_blocks_of_a_pair_agree(page: Path) -> None:
    prose = read(page).prose
    for en, zh in zip(prose[::2], prose[1::2], strict=True):
        assert not CJK.search(en.words), en.text
        assert CJK.search(zh.words), zh.text
        for what in ("code", "links", "items", "numbers"):
            assert getattr(en, what) == getattr(zh, what), (what, en.text, zh.text)


@every_page
def test_chinese_uses_the_glossary(page: Path) -> None:
    prose = read(page).prose
    for en, zh in zip(prose[::2], prose[1::2], strict=True):
        assert missing_terms(en.text, zh.text) == {}, en.text


@every_page
def test_every_table_row_has_as_many_cells_as_its_heading(page: Path) -> None:
    width = 0
    rows = read(page).rows
    for row, after in zip(rows, [*rows[1:], []], strict=False):
        if set("".join(after)) == {"-"}:
            width = len(row)
        assert len(row) == width, row


@every_page
def test_bold_holds_no_chinese_punctuation(page: Path) -> None:
    # GitHub and Jupyter do not see the end of **粗体。** before a Chinese character.
    text = re.sub(r"`[^`]*`", "", page.read_text("utf-8"))
    for bold in re.findall(r"\*\*(.+?)\*\*", text):
        assert not re.search(r"[\u3000-\u303f\uff00-\uffef]", bold), bold


@every_page
def test_no_line_ends_inside_a_chinese_sentence(page: Path) -> None:
    # A line break is shown as a space, which Chinese does not have.
    for prose in read(page).prose:
        if prose.lang == "zh":
            for line, after in pairwise(prose.text.splitlines()):
                starts_anew = not after or re.match(r"\s*(?:[-*]|\d+\.) ", after)
                assert not line or starts_anew, line


def test_glossary_names_one_thing_once() -> None:
    rows = table(ROOT / "docs" / "glossary.md", "terms")
    assert len(rows) > 40
    english, chinese = [row[0] for row in rows], [row[1] for row in rows]
    assert english == sorted(english, key=str.lower)
    assert len(set(english)) == len(rows)
    assert len(set(chinese)) == len(rows)
    for en, zh, meaning in rows:
        meaning_en, slash, meaning_zh = meaning.partition(" / ")
        assert not CJK.search(en + meaning_en), en
        assert CJK.search(zh), en
        assert slash, en
        assert CJK.search(meaning_zh), en
