"""Lesson 0, is my machine ready: wrong answers, and a word of the hint each must get."""

# What the checks find in the kernel.
SETUP = """
cluster = lab.Cluster("g1", "g2", name="exercises-0")
cluster.start()
"""

_FAULTY = "faulty = lab.ready.planted(cluster)\n"
_COUNTS = 'counts = {one: cluster.stats(one)["connections"] for one in ("g1", "g2")}'

WRONG = {
    "0.1": {
        "as it was": (_FAULTY + "mended = faulty", "address already in use"),
        "another name": (
            _FAULTY + 'mended = {**faulty, "gateway_id": "g4"}',
            "address already in use",
        ),
        "no port at all": (_FAULTY + 'mended = {**faulty, "port": 99999}', "must be 0 to 65535"),
        "another Redis": (
            _FAULTY + 'mended = {**faulty, "port": 0, "redis": "redis://127.0.0.1:1"}',
            "one Redis",
        ),
        "an entry left out": (
            _FAULTY + 'mended = {**faulty, "port": 0}\ndel mended["key_prefix"]',
            "dictionary",
        ),
    },
    "0.2": {
        "always the first": ('def busiest():\n    return "g1"', "still say g1"),
        "the number": (
            f"def busiest():\n    {_COUNTS}\n    return max(counts.values())",
            "id of a gateway",
        ),
        "the quietest": (
            f"def busiest():\n    {_COUNTS}\n    return min(counts, key=counts.get)",
            "still say",
        ),
    },
}
