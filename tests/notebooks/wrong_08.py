"""Lesson 8, does everyone come back at once: wrong answers, and a word of the hint each gets."""

WRONG = {
    "8.1": {
        "no die": (
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    return min(cap_s, base_s * 2.0 ** min(attempt, 60))",
            "Where is the die?",
        ),
        "half of it fixed": (
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    bound_s = min(cap_s, base_s * 2.0 ** min(attempt, 60))\n"
            "    return bound_s / 2 + rng.uniform(0.0, bound_s / 2)",
            "almost empty",
        ),
        "no cap": (
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    return rng.uniform(0.0, base_s * 2.0 ** min(attempt, 60))",
            "must lie between 0 and 6 s",
        ),
        "one doubling too many": (
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    return rng.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt + 1, 60)))",
            "must lie between 0 and 0.5 s",
        ),
        "a die of its own": (
            "import random\n"
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    return random.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt, 60)))",
            "The same seed gave two different waits",
        ),
        "too large for a float": (
            "def backoff(attempt, base_s, cap_s, rng):\n"
            "    return rng.uniform(0.0, min(cap_s, base_s * 2.0**attempt))",
            "OverflowError",
        ),
    },
    "8.2": {
        "the lesson's own numbers": (
            'choice = {"base_s": 1.0, "cap_s": 4.0, "jitter": 1.0}',
            "came in one second",
        ),
        "no jitter, however long the wait": (
            'choice = {"base_s": 8.0, "cap_s": 12.0, "jitter": 0.0}',
            "1,000 attempts came in one second",
        ),
        "spread without end": (
            'choice = {"base_s": 30.0, "cap_s": 60.0, "jitter": 1.0}',
            "not everyone was back",
        ),
        "a cap below the base": (
            'choice = {"base_s": 8.0, "cap_s": 4.0, "jitter": 1.0}',
            "0 < base_s <= cap_s",
        ),
        "one number missing": ('choice = {"base_s": 8.0, "cap_s": 12.0}', "three numbers"),
    },
    "8.3": {
        "seconds": (
            "def hint_ms(connections, per_s):\n    return max(0.1, connections / per_s)",
            "counts milliseconds",
        ),
        "upside down": (
            "def hint_ms(connections, per_s):\n    return max(100, 1_000 * per_s / connections)",
            "per second, not at 200",
        ),
        "no floor": (
            "def hint_ms(connections, per_s):\n    return 1_000 * connections / per_s",
            "less than 100 ms",
        ),
    },
}
