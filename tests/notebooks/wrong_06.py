"""Lesson 6, Redis or Kafka: wrong answers, and a word of the hint each must get."""

# An afternoon of a few seconds: the check counts in its diaries.
SETUP = """
from dataclasses import replace
from wsgateway.lab.afternoon import AFTERNOON, Load, Trouble
short = replace(
    AFTERNOON,
    loads=(Load(0.0, 4.0, 20),),
    troubles=(Trouble(0.5, "receiver", "kill", 0.5),),
)
diaries = lab.afternoon.run(short, seed=6)
"""

_RIGHT = """choice = {
    "typing": ("redis", "stale"),
    "score": ("redis", "stale"),
    "chat": ("kafka", "lost"),
    "order": ("kafka", "lost"),
    "note": ("neither", "offline"),
}
"""

WRONG = {
    "6.1": {
        "always Redis": (
            _RIGHT + 'choice["chat"] = ("redis", "stale")',
            "were promised and never arrived",
        ),
        "always Kafka": (
            _RIGHT + 'choice["typing"] = ("kafka", "lost")',
            "worse than nothing",
        ),
        "a log keeps everything": (
            _RIGHT + 'choice["note"] = ("kafka", "lost")',
            "stored nowhere",
        ),
        "neither is always fresh": (
            _RIGHT + 'choice["typing"] = ("neither", "stale")',
            "redis has the fewest stale messages",
        ),
        "neither, to be safe": (_RIGHT + 'choice["order"] = ("neither", "lost")', "why neither"),
        "the right mode for a wrong reason": (
            _RIGHT + 'choice["order"] = ("kafka", "stale")',
            "not what rules out",
        ),
        "no reason": (_RIGHT + 'choice["order"] = "kafka"', "give a pair"),
        "one kind forgotten": (_RIGHT + 'del choice["score"]', "give a pair"),
        "a mode that is none": (_RIGHT + 'choice["score"] = ("both", "lost")', "a mode"),
    },
    "6.2": {
        "as if nothing more came": (
            "def catches_up_s(lag, arriving, served):\n    return lag / served",
            "more arrive",
        ),
        "a time before now": (
            "def catches_up_s(lag, arriving, served):\n"
            "    return lag / (served - arriving) if served != arriving else None",
            "never goes away",
        ),
        "added, not taken off": (
            "def catches_up_s(lag, arriving, served):\n    return lag / (served + arriving)",
            "played out",
        ),
    },
}
