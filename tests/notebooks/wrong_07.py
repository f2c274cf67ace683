"""Lesson 7, how soon is dead dead: wrong answers, and a word of the hint each must get."""

WRONG = {
    "7.1": {
        "the timeout alone": (
            "def worst_case(ping_s, timeout_s, sweep_s):\n"
            "    return timeout_s, timeout_s + sweep_s",
            "part of the silence is over already",
        ),
        "forgets the sweep": (
            "def worst_case(ping_s, timeout_s, sweep_s):\n    return timeout_s - ping_s, timeout_s",
            "may just have gone by",
        ),
    },
    "7.2": {
        "a third of ours": ("timings = (10, 30, 20)", "1 of 100 deaths is seen after"),
        "as quick as can be": ("timings = (2, 6, 2)", "is closed"),
        "below two pings": ("timings = (20, 30, 2)", "below two pings"),
    },
}
