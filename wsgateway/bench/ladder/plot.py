"""The plot of the ladder: a bar for each rung."""

from collections.abc import Sequence
from itertools import pairwise

from wsgateway.bench.ladder.measure import Climbed
from wsgateway.bench.plots import label
from wsgateway.bench.style import BLUE, GREEN, GREY, drawing


def draw(climbed: Sequence[Climbed]) -> bytes:
    """Return a PNG: throughput of each rung, with the gain over the one before."""
    rates = [one.per_s for one in climbed]
    colours = [GREEN if one.rung.shipped else BLUE for one in climbed]
    colours[0] = GREY
    with drawing(height_in=2.0 + 0.75 * len(climbed)) as made:
        axes = made.figure.add_subplot()
        bars = axes.barh(range(len(rates)), rates, color=colours)
        gains = [f"{rates[0]:,.0f}"]
        gains += [f"{b:,.0f}  (× {b / a:.2f})" for a, b in pairwise(rates)]
        axes.bar_label(bars, gains, padding=6)
        titles = ["\n".join(dict.fromkeys(one.rung.titles)) for one in climbed]
        axes.set_yticks(range(len(rates)), titles, fontsize=11)
        axes.invert_yaxis()
        axes.set_xlim(0, max(rates) * 1.35)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label("delivered (msg/s)", "送达（条/秒）"))
        times = rates[-1] / rates[0]
        axes.set_title(
            f"The last rung delivers {times:.1f} times what the first does\n"
            f"最后一级的吞吐量是第一级的 {times:.1f} 倍"
        )
    return made.png
