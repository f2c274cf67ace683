"""The language switch: a marker and a rule that touches nothing but this notebook's text."""

from collections.abc import Iterator

import pytest

from wsgateway.lab.language import Language, language, markup, say, text


@pytest.fixture(autouse=True)
def both() -> Iterator[None]:
    yield
    language("both")


@pytest.mark.parametrize(("shown", "hidden"), [("en", "zh"), ("zh", "en")])
def test_the_rule_is_scoped_to_rendered_markdown_of_a_marked_notebook(
    shown: Language, hidden: str
) -> None:
    html = markup(shown)
    assert f'<span class="wsg-lang-{shown}"></span>' in html
    (rule,) = html.split("<style>")[1].removesuffix("</style>").split("}")[:-1]
    selectors = rule.split("{")[0].split(",")
    for selector in selectors:
        scope, *rest = selector.split(" ")
        assert scope == f".jp-Notebook:has(.wsg-lang-{shown})"
        assert rest == [".jp-RenderedMarkdown", f'div[lang="{hidden}"]']


def test_both_hides_nothing() -> None:
    assert markup("both") == '<span class="wsg-lang-both"></span>'


def test_the_choice_governs_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for choice in ("en", "zh", "both"):
        language(choice)
        capsys.readouterr()
        say("hello", "你好")
        printed[choice] = capsys.readouterr().out
    assert printed == {"en": "hello\n", "zh": "你好\n", "both": "hello\n你好\n"}


def test_another_choice_is_refused_and_changes_nothing() -> None:
    language("zh")
    with pytest.raises(ValueError, match='choose "en", "zh" or "both"'):
        language("fr")
    assert text("hello", "你好") == "你好"
