"""Lesson 0: is everything there, what is running, and where do gateways live."""

from wsgateway.lab.ready import checks, plots
from wsgateway.lab.ready.attempt import Attempt, attempt, planted
from wsgateway.lab.ready.checkup import doctor
from wsgateway.lab.ready.state import answers, chat_while, look

__all__ = [
    "Attempt",
    "answers",
    "attempt",
    "chat_while",
    "checks",
    "doctor",
    "look",
    "planted",
    "plots",
]
