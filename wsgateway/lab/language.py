"""Which language a notebook shows, and prints. Both are always stored in the file."""

from typing import Literal, cast, get_args

from IPython.display import HTML, display

Language = Literal["en", "zh", "both"]

_HIDDEN: dict[Language, str | None] = {"en": "zh", "zh": "en", "both": None}
_current: Language = "both"


def markup(choice: Language) -> str:
    """Return the marker, and the style that hides the other language, as HTML.

    The rule is scoped twice: to a notebook that holds the marker, and to rendered Markdown in it.
    """
    marker = f'<span class="wsg-lang-{choice}"></span>'
    hidden = _HIDDEN[choice]
    if hidden is None:
        return marker
    # Why: JupyterLab's own page is <html lang="en">, so a bare [lang=en] rule blanks all of it.
    # 原因：JupyterLab 整个页面就是 <html lang="en">，不限定范围的 [lang=en] 会让整页消失。
    return (
        f"{marker}<style>.jp-Notebook:has(.wsg-lang-{choice}) "
        f'.jp-RenderedMarkdown div[lang="{hidden}"]{{display:none}}</style>'
    )


def language(choice: str) -> None:
    """Show "en", "zh" or "both", in this notebook's text, in what it prints and in its plots.

    Raises:
        ValueError: any other choice.
    """
    global _current
    if choice not in get_args(Language):
        raise ValueError(f'language("{choice}"): choose "en", "zh" or "both"')
    _current = cast("Language", choice)
    display(HTML(markup(_current)))  # type: ignore[no-untyped-call]  # IPython has no stubs


def text(en: str, zh: str, *, separator: str = "\n") -> str:
    """Return the text in the chosen language; with "both", English, separator, Chinese."""
    if _current == "both":
        return f"{en}{separator}{zh}"
    return en if _current == "en" else zh


def say(en: str, zh: str) -> None:
    """Print one sentence in the chosen language, or in both."""
    print(text(en, zh))
