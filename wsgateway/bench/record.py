"""The JSON file of `--json`. Pure.

One object: `format` ("wsgateway-bench/1"), `command`, `arguments` (all flags), `seed`, `machine`
(see `machine.facts`), `outcomes` (a list), `numbers` (what the command computed; units end the
names) and `faults` (sentences; empty when all is well). An outcome has its `name`, the fields of
`Outcome` under their names, and instead of single latencies `latency_ms`: `p50`, `p90`, `p99`,
`p99_9`, `max`, and `ecdf`, at most 500 sorted values, evenly spaced in rank.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from wsgateway.bench.findings import Findings
from wsgateway.bench.shape import Outcome, thinned

FORMAT = "wsgateway-bench/1"
_ECDF_POINTS = 500
_PERCENTS = (50, 90, 99, 99.9)


def document(
    command: str, arguments: Mapping[str, Any], machine: Mapping[str, Any], found: Findings
) -> dict[str, Any]:
    """Return what the JSON file holds; see above."""
    return {
        "format": FORMAT,
        "command": command,
        "arguments": dict(arguments),
        "seed": found.seed,
        "machine": dict(machine),
        "outcomes": [outcome(name, one) for name, one in found.outcomes],
        "numbers": found.numbers,
        "faults": found.faults,
    }


def outcome(name: str, one: Outcome) -> dict[str, Any]:
    """Return one outcome as the JSON file has it."""
    fields = {key: value for key, value in asdict(one).items() if key != "latencies_ms"}
    latency = {f"p{percent:g}".replace(".", "_"): one.p(percent) for percent in _PERCENTS}
    latency["max"] = one.p(100)
    return {
        "name": name,
        **fields,
        "cpu_s_per_1000": one.cpu_s_per_1000,
        "broker_cpu_s_per_1000": one.broker_cpu_s_per_1000,
        "load_cpu_s_per_1000": one.load_cpu_s_per_1000,
        "latency_ms": {**latency, "ecdf": thinned(one.latencies_ms, _ECDF_POINTS)},
    }


def encoded(made: Mapping[str, Any]) -> bytes:
    """Return the bytes of the file, indented for people."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
