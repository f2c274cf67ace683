"""One small style for every plot, and the object a cell ends with to show one."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from wsgateway.errors import WsGatewayError
from wsgateway.lab.language import text

# Okabe and Ito's palette: told apart with any kind of colour vision, and in grey by lightness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PINK = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#666666"

_WIDTH_IN = 9.0
_DPI = 160
_SHOWN_PX = 860
_CJK = "Noto Sans SC"


def _style() -> dict[str, Any]:
    if _CJK not in font_manager.fontManager.get_font_names():
        _add_font()
    return {
        # Why: the font is named here and not set for the whole kernel: the learner's own plots
        # keep the learner's own style.
        # 原因：字体只在这里指定，不改整个内核的设置，学习者自己的图保持自己的风格。
        "font.family": [_CJK, "DejaVu Sans"],
        "font.size": 13,
        "axes.titlesize": 15,
        "axes.titlelocation": "left",
        "axes.titlepad": 14,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": False,
        "grid.color": "#DDDDDD",
        "lines.linewidth": 2.5,
        "legend.frameon": False,
        "figure.facecolor": "white",
    }


def _add_font() -> None:
    # Why: found and not imported: importing zhplot sets the font of the whole kernel.
    # 原因：只定位、不导入：一导入 zhplot 就会改掉整个内核的字体。
    package = find_spec("zhplot")
    if package is None or package.origin is None:
        raise WsGatewayError("plots need the zhplot package: pip install 'wsgateway[lab]'")
    for path in sorted((Path(package.origin).parent / "fonts").glob("*.ttf")):
        font_manager.fontManager.addfont(path)


class Picture:
    """A finished plot: a PNG, and one sentence for who cannot see it.

    Args:
        png: the image.
        alt: what it shows, without measured numbers, so that it is the same each run.
    """

    def __init__(self, png: bytes, alt: str) -> None:
        self.png = png
        self.alt = alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        shown = {"width": _SHOWN_PX, "alt": self.alt}
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": shown}


class Canvas:
    """A figure under construction; `picture` is set when the `with` block ends."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.picture: Picture


@contextmanager
def canvas(alt_en: str, alt_zh: str, *, height_in: float = 4.2) -> Iterator[Canvas]:
    """Draw in the common style; the picture is ready when the block ends.

    Args:
        alt_en, alt_zh: one sentence each, for `Picture.alt`.
        height_in: height of the figure, inches.
    """
    # Why: a bare Figure instead of pyplot: no global list of figures, nothing to close, and
    # the same code draws in a test without a display.
    # 原因：直接用 Figure 而不用 pyplot：没有全局图列表，不用关闭，测试里没有显示器也能画。
    style: Any = _style()  # matplotlib's stubs want a literal of 300 keys
    with mpl.rc_context(style):
        made = Canvas(Figure(figsize=(_WIDTH_IN, height_in), layout="constrained"))
        yield made
        buffer = BytesIO()
        made.figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        made.picture = Picture(buffer.getvalue(), text(alt_en, alt_zh))


def label(en: str, zh: str) -> str:
    """Return a short label for an axis or a bar, in one line; a name common to both, once."""
    return en if en == zh else text(en, zh, separator=" / ")


def station(axes: Any, x: float, name: str, role: tuple[str, str], colour: str) -> None:
    """Draw a box of a map: who stands at `x`, and as what."""
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.55, 1.0), 1.1, 1.1, boxstyle="round,pad=0.08", fc="white", ec=colour, lw=2.5
        )
    )
    axes.text(x, 1.55, name, ha="center", va="center", fontsize=15)
    axes.text(x, 2.3, text(*role), ha="center", va="bottom", fontsize=11.5, color="#333333")


def arrow(axes: Any, a: float, b: float, y: float, number: str, *, both: bool = False) -> None:
    """Draw a numbered arrow of a map from `a` to `b`, or one with two heads."""
    axes.add_patch(
        FancyArrowPatch(
            (a, y),
            (b, y),
            arrowstyle="<|-|>" if both else "-|>",
            mutation_scale=16,
            lw=1.8,
            color=GREY,
        )
    )
    axes.text((a + b) / 2, y + 0.08, number, ha="center", va="bottom", fontsize=12)
