"""Lesson 5, what a log remembers: wrong answers, and a word of the hint each must get."""

WRONG = {
    "5.1": {
        "the highest settled": (
            "def committable(read, settled):\n    return max(settled, default=read[0] - 1) + 1",
            "is never read again",
        ),
        "nothing but whole batches": (
            "def committable(read, settled):\n"
            "    return read[-1] + 1 if settled == set(read) else read[0]",
            "may be committed, not only",
        ),
    },
    "5.2": {
        "ids of all senders together": (
            "def without_repeats(arrivals):\n"
            "    seen, kept = set(), []\n"
            "    for one in arrivals:\n"
            "        if one[1] is None or one[1] not in seen:\n"
            "            kept.append(one)\n"
            "        seen.add(one[1])\n"
            "    return kept",
            "unique for one sender only",
        ),
        "no id is an id": (
            "def without_repeats(arrivals):\n    return list(dict.fromkeys(arrivals))",
            "without an id",
        ),
        "contents": (
            "def without_repeats(arrivals):\n"
            "    seen, kept = set(), []\n"
            "    for one in arrivals:\n"
            "        if one[1] is None or (one[0], one[2]) not in seen:\n"
            "            kept.append(one)\n"
            "        seen.add((one[0], one[2]))\n"
            "    return kept",
            "compare ids, not contents",
        ),
    },
    "5.3": {
        "never committed is no lag": (
            "def total_lag(ends, committed):\n"
            "    return sum(end - committed[n] for n, end in ends.items() "
            "if committed[n] is not None)",
            "without a commit",
        ),
        "off by one": (
            "def total_lag(ends, committed):\n"
            "    return sum(end - (committed[n] or 0) - 1 for n, end in ends.items())",
            "next offset",
        ),
    },
}
