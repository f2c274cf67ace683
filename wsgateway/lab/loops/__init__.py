"""Lesson 2: what a connection costs, and who blocks the event loop."""

from wsgateway.lab.loops import checks, late_plots, plots
from wsgateway.lab.loops.lineup import Evidence, observe
from wsgateway.lab.loops.maps import costs
from wsgateway.lab.loops.memory import each_kib, fill
from wsgateway.lab.loops.slow import MIB, feed
from wsgateway.lab.loops.watch import waits

__all__ = [
    "MIB",
    "Evidence",
    "checks",
    "costs",
    "each_kib",
    "feed",
    "fill",
    "late_plots",
    "observe",
    "plots",
    "waits",
]
