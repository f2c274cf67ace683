"""From the plain design to the shipped gateway, one step at a time: each step can be measured.

from wsgateway.bench.ladder import RUNGS, climb, rung_target
outcome = await run(rung_target("batching"), Shape())
"""

from wsgateway.bench.ladder.measure import Climbed, add_flags, climb, perform
from wsgateway.bench.ladder.rungs import PARTS, RUNGS, Rung, rung, rung_target

__all__ = [
    "PARTS",
    "RUNGS",
    "Climbed",
    "Rung",
    "add_flags",
    "climb",
    "perform",
    "rung",
    "rung_target",
]
