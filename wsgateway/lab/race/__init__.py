"""The race explorer: every order in which the operations on one presence record may happen.

`explore` walks through all of them for a design, on its pure model, and returns the shortest way
to break a promise; `design_from_lua` makes a design of anybody's Lua, run on a real server.
"""

from wsgateway.lab.race import checks, plots
from wsgateway.lab.race.designs import DESIGNS, Design
from wsgateway.lab.race.explorer import Exploration, explore
from wsgateway.lab.race.invariants import Invariant
from wsgateway.lab.race.lua import ScriptFailed, design_from_lua, differences
from wsgateway.lab.race.trace import Step, Trace, replay, story
from wsgateway.lab.race.world import FAULTS, Fault

__all__ = [
    "DESIGNS",
    "FAULTS",
    "Design",
    "Exploration",
    "Fault",
    "Invariant",
    "ScriptFailed",
    "Step",
    "Trace",
    "checks",
    "design_from_lua",
    "differences",
    "explore",
    "plots",
    "replay",
    "story",
]
