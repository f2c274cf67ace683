"""The meter, on real processes: its counts are exact where they can be."""

from collections.abc import Iterator

import pytest

from wsgateway.lab import meter
from wsgateway.lab.cluster import Cluster

CROWD = 400  # their heartbeats take some 30 ms, and the kernel counts CPU time in ticks of 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster("m1", "m2", "m3", processes=True, name="meter") as running:
        yield running


def test_alone_every_message_is_a_batch_and_a_publish(cluster: Cluster) -> None:
    run = meter.messages(cluster, "m1", ["m2"], total=200, in_flight=1)
    assert run.messages == 200
    assert 200 <= run.publishes <= 230  # canaries are publishes too
    assert 200 <= run.batches <= 260  # and leases are kept
    assert run.spent.sender_us > run.spent.broker_us > 0
    assert run.spent.receivers_us > 0


def test_a_burst_shares_publishes_and_several_gateways_share_less(cluster: Cluster) -> None:
    one = meter.messages(cluster, "m1", ["m2"], total=1_280, in_flight=64)
    two = meter.messages(cluster, "m1", ["m2", "m3"], total=1_280, in_flight=64)
    assert one.thinness < 0.5
    assert two.thinness > one.thinness
    assert (one.gateways, two.gateways) == (1, 2)


def test_heartbeats_and_a_crowd_cost_something(cluster: Cluster) -> None:
    crowd = meter.crowd(cluster, "m3", users=CROWD)
    assert crowd.users == CROWD
    assert crowd.came.sender_us > 100  # more than a microsecond each
    assert crowd.pings == 2 * CROWD
    assert crowd.pinged.sender_us > 0
    assert cluster.stats("m3")["presence"]["refresh"] >= 2 * CROWD, (
        "each heartbeat refreshed presence"
    )


def test_a_survey_prices_everything(cluster: Cluster) -> None:
    shapes = ((1, 1), (16, 1), (64, 2))
    runs, found = meter.survey(cluster, ["m1", "m2", "m3"], shapes=shapes, total=800, users=CROWD)
    assert [(run.messages, run.gateways) for run in runs] == [(200, 1), (800, 1), (800, 2)]
    assert found.message_us() > 2 * found.message_us(batches=1 / 64, publishes=1 / 64)
    assert found.ping_us > 0
    assert found.connect_us > 0
