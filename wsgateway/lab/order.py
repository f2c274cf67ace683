"""`python -m wsgateway.lab.order FILE`: the prices of this machine, and lesson 9's order from them.

FILE is for `python -m wsgateway.bench.tables`, which puts it into `docs/performance.md`.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from wsgateway.bench import machine
from wsgateway.lab import meter, reckoning, sizing
from wsgateway.lab.cluster import Cluster, close

_GATEWAYS = [f"m{number}" for number in range(1, 9)]
_FILES = 4_096


def main() -> int:
    """Measure, reckon, write."""
    file = Path(sys.argv[1])
    meter.raise_files(_FILES)
    try:
        cluster = Cluster(*_GATEWAYS, processes=True, name="order")
        cluster.start()
        _, costs = meter.survey(cluster, _GATEWAYS)
        broker = cluster.broker
    finally:
        close()
    demand = sizing.Demand(back_within_s=120.0)
    steps = reckoning.steps(demand, costs, sizing.plan(demand, costs))
    document = {
        "command": "plan",
        "arguments": {},
        "machine": machine.facts(),
        "outcomes": [],
        "numbers": {"plan": steps, "broker": broker, "costs": asdict(costs)},
        "faults": [],
    }
    file.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
