"""Lesson 4, what PUBLISH knows: wrong answers, and a word of the hint each must get."""

WRONG = {
    "4.1": {
        "cuts at the first that is late": (
            "def must_cut(now_s, heard_s, canary_s, slept):\n    return now_s - heard_s > canary_s",
            "one that is late is no reason to cut",
        ),
        "judges right after a sleep": (
            "def must_cut(now_s, heard_s, canary_s, slept):\n"
            "    return now_s - heard_s > 3 * canary_s",
            "what came is still unread",
        ),
        "waits for ever": (
            "def must_cut(now_s, heard_s, canary_s, slept):\n    return False",
            "you keep waiting",
        ),
    },
    "4.2": {
        "who reads nothing is offline": (
            "def ledger_of(story):\n    return (0, 10, 0)",
            "Story B",
        ),
        "Redis keeps them": (
            'def ledger_of(story):\n    return (0, 10, 0) if story == "A" else (10, 0, 0)',
            "Story C",
        ),
    },
}
