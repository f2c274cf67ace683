"""Lesson 2, what one connection costs: wrong answers, and a word of the hint each must get."""

_OUTBOX = """
class Outbox:
    def __init__(self, bound):
        self.bound, self.waiting, self.open = bound, [], True

    def put(self, frame):
        {put}

    def take(self):
        {take}
"""
_SIZE = "sum(map(len, self.waiting))"
_PUT = (
    f"self.open = self.open and {_SIZE} + len(frame) <= self.bound\n"
    "        if self.open:\n            self.waiting.append(frame)\n        return self.open"
)
_TAKE = "return self.waiting.pop(0) if self.waiting else None"


def _outbox(put: str = _PUT, take: str = _TAKE) -> str:
    return _OUTBOX.format(put=put, take=take)


_LATE = "late = [(due, came) for due, came in ticks if came - due > 20]"

WRONG = {
    "2.1": {
        "a list without bound": (
            _outbox(put="self.waiting.append(frame)\n        return True"),
            "fill the memory",
        ),
        "frames counted, not bytes": (
            _outbox(put=_PUT.replace(f"{_SIZE} + len(frame)", "len(self.waiting)")),
            "fill the memory",
        ),
        "one byte short": (_outbox(put=_PUT.replace("<=", "<")), "you refused"),
        "what was taken still counts": (
            _outbox(
                put="self.size = getattr(self, 'size', 0) + len(frame)\n"
                "        if self.size > self.bound:\n            return False\n"
                "        self.waiting.append(frame)\n        return True"
            ),
            "waits no longer",
        ),
        "the newest first": (
            _outbox(take="return self.waiting.pop() if self.waiting else None"),
            "oldest",
        ),
        "drops the oldest": (
            _outbox(
                put="self.waiting.append(frame)\n"
                f"        while {_SIZE} > self.bound:\n            self.waiting.pop(0)\n"
                "        return True"
            ),
            "fill the memory",
        ),
        "takes the next one again": (
            _outbox(
                put=f"fits = {_SIZE} + len(frame) <= self.bound\n"
                "        if fits:\n            self.waiting.append(frame)\n        return fits"
            ),
            "a hole in it",
        ),
        "an empty frame for none": (
            _outbox(take="return self.waiting.pop(0) if self.waiting else b''"),
            "returns None",
        ),
        "says nothing": (_outbox(put="self.waiting.append(frame)"), "returns True"),
        "raises": (_outbox(take="return self.waiting.pop(0)"), "IndexError"),
    },
    "2.2": {
        "who wakes most often": (
            "def blocker(ticks, woke):\n    return max(woke, key=lambda name: len(woke[name]))",
            "just before it was due",
        ),
        "who woke last before it came": (
            f"def blocker(ticks, woke):\n    {_LATE}\n"
            "    def near(name):\n"
            "        return sum(any(due < at <= came for at in woke[name]) for due, came in late)\n"
            "    return max(woke, key=near)",
            "victim",
        ),
        "one late tick only": (
            f"def blocker(ticks, woke):\n    {_LATE}\n    due, came = late[-1]\n"
            "    return next(\n"
            "        name for name in sorted(woke)\n"
            "        if any(due - 40 <= at <= due for at in woke[name])\n"
            "    )",
            "just before it was due",
        ),
        "always the same": ('def blocker(ticks, woke):\n    return "backup"', "tick"),
        "a moment": (
            "def blocker(ticks, woke):\n    return max(came - due for due, came in ticks)",
            "one of the names",
        ),
    },
}
