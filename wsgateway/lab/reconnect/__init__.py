"""Lesson 8: a gateway dies under 1,000 clients; how they come back, simulated and for real."""

from wsgateway.lab.reconnect import checks, plots
from wsgateway.lab.reconnect.account import Account
from wsgateway.lab.reconnect.live import farewells, outage
from wsgateway.lab.reconnect.policies import POLICIES, jittered
from wsgateway.lab.reconnect.simulate import OUTAGE, Outage, simulate
from wsgateway.lab.reconnect.storm import Storm

__all__ = [
    "OUTAGE",
    "POLICIES",
    "Account",
    "Outage",
    "Storm",
    "checks",
    "farewells",
    "jittered",
    "outage",
    "plots",
    "simulate",
]
