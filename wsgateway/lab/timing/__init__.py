"""How soon is dead dead? Timings simulated, and tried on processes that are really stopped."""

from wsgateway.lab.timing import checks, plots
from wsgateway.lab.timing.live import Deaths, deaths
from wsgateway.lab.timing.simulate import (
    CHOSEN,
    OURS,
    Link,
    Timing,
    detections_s,
    false_closes_per_day,
    frontier,
)

__all__ = [
    "CHOSEN",
    "OURS",
    "Deaths",
    "Link",
    "Timing",
    "checks",
    "deaths",
    "detections_s",
    "false_closes_per_day",
    "frontier",
    "plots",
]
