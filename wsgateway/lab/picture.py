"""The object a cell ends with to show a plot, and what the maps of the lessons are made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from wsgateway.bench.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    YELLOW,
    drawing,
)
from wsgateway.lab.language import text

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PINK",
    "RED",
    "SKY",
    "YELLOW",
    "Canvas",
    "Picture",
    "arrow",
    "canvas",
    "label",
    "station",
]

_SHOWN_PX = 860
_COLOURS = 128


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
    with drawing(height_in=height_in) as drawn:
        made = Canvas(drawn.figure)
        yield made
    made.picture = Picture(_small(drawn.png), text(alt_en, alt_zh))


def _small(png: bytes) -> bytes:
    """Return the same image with 128 colours: plots have few, and a third of the bytes will do."""
    image = Image.open(BytesIO(png)).convert("RGB")
    buffer = BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


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
