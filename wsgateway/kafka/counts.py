"""What one gateway has counted in Kafka. Plain integers, as in `wsgateway.stats`."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import quantiles


@dataclass(slots=True)
class KafkaCounts:
    """What happened since the gateway started, in its own topic and the adopted ones.

    Args:
        envelopes: records that the brokers hold.
        batches: writes they came in.
        replayed: records read that were there before the reading began.
        expired: records too old to deliver.
        dead_letters: records that could not be delivered, now in the dead letter topic.
        adoptions: topics of gone gateways taken over.
        stalls: consumers replaced because they stood still.
        commit_failures: commits that were refused or not answered in time.
    """

    envelopes: int = 0
    batches: int = 0
    replayed: int = 0
    expired: int = 0
    dead_letters: int = 0
    adoptions: int = 0
    stalls: int = 0
    commit_failures: int = 0


def p50_p99(values: Iterable[float]) -> tuple[float, float]:
    """Return median and 99th percentile; zeros while there are no two values."""
    known = list(values)
    if len(known) < 2:
        return 0.0, 0.0
    cuts = quantiles(known, n=100)
    return cuts[49], cuts[98]
