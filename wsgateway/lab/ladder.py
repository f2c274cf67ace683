"""The ladder for a cell: some rungs measured one after another, each on real processes."""

from collections.abc import Sequence

from wsgateway.bench.ladder import Rung, rung, rung_target
from wsgateway.bench.run import Outcome, Shape, run
from wsgateway.lab.loop import shared_loop

# Two nodes and fifty pairs, as in the benchmark; a second each, warming up included.
SHORT = Shape(warmup_s=0.2, duration_s=0.8)
_PATIENCE_S = 60.0

Climbed = list[tuple[Rung, Outcome]]


def climb(names: Sequence[str], *, shape: Shape = SHORT) -> Climbed:
    """Measure rungs of the ladder, in the order given.

    Args:
        names: of rungs, see `wsgateway.bench.ladder.RUNGS`.
        shape: what each is offered.
    """
    return [
        (rung(name), shared_loop().run(run(rung_target(name), shape), _PATIENCE_S))
        for name in names
    ]


def message_us(outcome: Outcome) -> float:
    """Return what all gateways together spent on one message, CPU microseconds."""
    return 1e3 * outcome.cpu_s_per_1000
