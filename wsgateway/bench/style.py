"""One small style for every plot, those of the lessons included."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure

from wsgateway.errors import WsGatewayError

# Okabe and Ito's palette: told apart with any kind of colour vision, and in grey by lightness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PINK = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#666666"

_WIDTH_IN = 9.0
_DPI = 160
_CJK = "Noto Sans SC"


def style() -> dict[str, Any]:
    """Return the settings of matplotlib, with a font that has Chinese.

    Raises:
        WsGatewayError: the font is not installed.
    """
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
        raise WsGatewayError("plots need the zhplot package: pip install 'wsgateway[bench]'")
    for path in sorted((Path(package.origin).parent / "fonts").glob("*.ttf")):
        font_manager.fontManager.addfont(path)


class Drawing:
    """A figure under construction; `png` is set when the `with` block of `drawing` ends."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.png = b""


@contextmanager
def drawing(*, height_in: float = 4.2) -> Iterator[Drawing]:
    """Draw in the common style; the image is ready when the block ends.

    Args:
        height_in: height of the figure, inches.
    """
    # Why: a bare Figure instead of pyplot: no global list of figures, nothing to close, and
    # the same code draws in a test without a display.
    # 原因：直接用 Figure 而不用 pyplot：没有全局图列表，不用关闭，测试里没有显示器也能画。
    settings: Any = style()  # matplotlib's stubs want a literal of 300 keys
    with mpl.rc_context(settings):
        made = Drawing(Figure(figsize=(_WIDTH_IN, height_in), layout="constrained"))
        yield made
        buffer = BytesIO()
        made.figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        made.png = buffer.getvalue()
