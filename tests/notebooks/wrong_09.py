"""Lesson 9, ten million users: wrong answers, and a word of the hint each must get."""

SICK = """from dataclasses import replace

def used_of(f):
    gates = f.messages_per_s * f.message_us + f.pings_per_s * f.ping_us
    broker = f.messages_per_s * f.broker_message_us + f.pings_per_s * f.broker_ping_us
    files = f.connections / f.gateways / f.files_per_gateway
    return {"gateways": gates / f.gateways / 1e6, "broker": broker / f.shards / 1e6, "files": files}

def bottleneck(f):"""
NEEDED = """from math import ceil

def gateways_needed(demand, costs):
    work_us = (
        demand.messages_per_s * costs.message_us()
        + demand.pings_per_s * costs.ping_us
        + demand.reconnects_per_s * costs.connect_us
    )
    cpu = work_us / 1e6 / demand.busy
    files = demand.connections / (demand.files_per_gateway - 64)
"""
SPREAD = """def spread_s(users, costs, gateways, shards, spare):
    gates = users * costs.connect_us / (gateways * spare * 1e6)
    broker = users * costs.broker_connect_us / (shards * spare * 1e6)
"""
WRONG = {
    "9.1": {
        "heartbeats forgotten": (
            f"{SICK}\n"
            "    f = replace(f, pings_per_s=0)\n"
            "    used = used_of(f)\n"
            "    return max(used, key=used.get), max(used.values())",
            "Heartbeats are work too",
        ),
        "one core for all shards": (
            f"{SICK}\n"
            "    used = used_of(replace(f, shards=1))\n"
            "    return max(used, key=used.get), max(used.values())",
            "each has a core of its own",
        ),
        "a percentage": (
            f"{SICK}\n"
            "    used = used_of(f)\n"
            "    return max(used, key=used.get), 100 * max(used.values())",
            "the most of the three",
        ),
        "a name only": ("def bottleneck(f):\n    return 'broker'", "Return a pair"),
    },
    "9.2": {
        "a zone never fails": (
            f"{NEEDED}    return demand.zones * ceil(max(cpu, files) / demand.zones)",
            "enough until a zone fails",
        ),
        "cores to the brim": (
            f"{NEEDED}    return demand.zones * ceil(max(cpu * demand.busy, 1) / demand.zones)",
            "too few even with every zone up",
        ),
        "zones of different size": (
            f"{NEEDED}    return ceil(max(cpu, files, 1) * demand.zones / (demand.zones - 1))",
            "the same number in each zone",
        ),
        "not whole": (f"{NEEDED}    return max(cpu, files)", "whole number"),
    },
    "9.3": {
        "the faster one decides": (
            f"{SPREAD}    return min(gates, broker)",
            "the slower one decides",
        ),
        "one after the other": (f"{SPREAD}    return gates + broker", "side by side"),
        "all of each core": (f"{SPREAD}    return max(gates, broker) * spare", "spare share"),
    },
}
