"""Lesson 1, the journey of a message: wrong answers, and a word of the hint each must get."""

# What the checks find in the kernel.
SETUP = """
cluster = lab.Cluster("g1", "g2", name="exercises")
cluster.start()
alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
"""

RECORD = 'record = cluster.redis("HGETALL", f"presence:{user}")'
LEFT = 'cluster.redis("PTTL", f"presence:{user}")'
WRONG = {
    "1.1": {
        "milliseconds": (
            f'def where_is(user):\n    {RECORD}\n    return (record["gatewayId"], {LEFT}) '
            "if record else None",
            "milliseconds",
        ),
        "no None": (
            f'def where_is(user):\n    {RECORD}\n    return record.get("gatewayId"), {LEFT} / 1000',
            "return None",
        ),
        "the connection": (
            f'def where_is(user):\n    {RECORD}\n    return (record["connId"], {LEFT} / 1000) '
            "if record else None",
            "is on g1",
        ),
        "raises": ("def where_is(user):\n    return 1 / 0", "ZeroDivisionError"),
    },
    "1.2": {
        "the whole journey": (
            "def slowest_step(trace):\n"
            "    return trace[0].stage, trace[-1].stage, trace[-1].us - trace[0].us",
            "whole journey",
        ),
        "a time of day": (
            "def slowest_step(trace):\n"
            "    last = max(trace, key=lambda hop: hop.us)\n"
            "    return trace[0].stage, last.stage, last.us",
            "time of day",
        ),
        "the first step": (
            "def slowest_step(trace):\n"
            "    a, b = trace[:2]\n"
            "    return a.stage, b.stage, b.us - a.us",
            "slowest step was",
        ),
    },
}
