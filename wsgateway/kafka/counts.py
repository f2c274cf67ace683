"""What one gateway has counted in Kafka. Plain integers, as in `wsgateway.stats`."""

from dataclasses import dataclass


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
