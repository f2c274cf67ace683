"""Lesson 6: one afternoon of trouble, lived through on Redis and on Kafka, and what was left."""

from wsgateway.lab.afternoon import checks, plots
from wsgateway.lab.afternoon.diary import Diary, sooner
from wsgateway.lab.afternoon.live import run
from wsgateway.lab.afternoon.script import AFTERNOON, Kind, Load, Script, Trouble

__all__ = [
    "AFTERNOON",
    "Diary",
    "Kind",
    "Load",
    "Script",
    "Trouble",
    "checks",
    "plots",
    "run",
    "sooner",
]
