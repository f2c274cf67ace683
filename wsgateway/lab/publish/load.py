"""Latency against load, with batching and without: two rungs of the ladder, on real processes."""

from collections.abc import Sequence
from dataclasses import replace

from wsgateway.bench.cluster import Cluster
from wsgateway.bench.ladder import rung_target
from wsgateway.bench.run import Outcome, Shape, measure
from wsgateway.lab.loop import shared_loop

WITHOUT, WITH = "plain", "batching"
"""Rungs: each command goes alone, and what waits goes out together."""

_SHORT = Shape(warmup_s=0.2, duration_s=0.5)
_PATIENCE_S = 60.0


def under_load(name: str, rates_per_s: Sequence[float]) -> list[Outcome]:
    """Measure a rung of the ladder under several loads.

    Args:
        name: `WITHOUT` or `WITH`.
        rates_per_s: messages per second offered, one run each.
    """
    return shared_loop().run(_climb(name, rates_per_s), _PATIENCE_S)


async def _climb(name: str, rates_per_s: Sequence[float]) -> list[Outcome]:
    async with Cluster(rung_target(name), nodes=2) as cluster:
        return [
            await measure(cluster, replace(_SHORT, rate_per_s=rate_per_s))
            for rate_per_s in rates_per_s
        ]
