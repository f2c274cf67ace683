"""Chinese reads as Chinese: none of the patterns banned in `chinese.py`, anywhere."""

import json
import re
from pathlib import Path

import pytest
from chinese import RULES, Rule, faults
from pages import CJK, LINK, NOTEBOOKS, PAGES, ROOT, name_of, read, table

GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = sorted(
    path
    for kind in ("wsgateway/**/*.py", "wsgateway/**/*.lua", "Makefile", "docker-compose.yml")
    for path in ROOT.glob(kind)
)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why[0])


def bare(text: str) -> str:
    """Return the text without link targets, emphasis, and what its code spans hold."""
    text = re.sub(r"`[^`]+`", "`code`", LINK.sub("\u200b\\2\u200b", text))
    return re.sub(r"\*\*|(?<!\w)\*|\*(?!\w)", "", text)


@every_rule
def test_a_rule_finds_its_bad_example_and_likes_the_better_wording(rule: Rule) -> None:
    assert re.search(rule.pattern, rule.bad)
    assert list(faults(rule.good)) == []


def test_traditional_characters_and_endless_clauses_are_found() -> None:
    assert len(list(faults("訊息在這裡"))) == 3
    assert list(faults("消息" * 16)) != []


def test_the_glossary_lists_every_rule() -> None:
    listed = table(GLOSSARY, "chinese")
    assert listed == [[rule.bad, rule.good, " / ".join(rule.why)] for rule in RULES]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages(page: Path) -> None:
    parsed = read(page)
    rules = table(GLOSSARY, "chinese")
    chinese = [prose.text for prose in parsed.prose if prose.lang == "zh"]
    chinese += [heading.partition(" / ")[2] for heading in parsed.headings]
    chinese += [
        cell.rpartition(" / ")[2]
        for row in parsed.rows
        if page != GLOSSARY or row not in rules
        for cell in row
        if CJK.search(cell) and not cell.startswith("*")  # a machine, described by a program
    ]
    assert [fault for text in chinese for fault in faults(bare(text))] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebooks(path: Path) -> None:
    found = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading, _, rest = source.partition("\n")
            chinese = re.findall(r'<div lang="zh">\n\n(.*?)\n\n</div>', rest, re.DOTALL)
            for text in (heading.partition(" / ")[2], *chinese):
                found += faults(bare(text))
        else:
            found += in_code(source)
    assert found == []


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_comments_and_messages_of_the_code(path: Path) -> None:
    assert in_code(path.read_text("utf-8")) == []


def in_code(text: str) -> list[str]:
    """Return the faults in those lines of code that hold Chinese."""
    lines = [line for line in text.splitlines() if CJK.search(line)]
    return [fault for line in lines for fault in faults(line, prose=False)]
