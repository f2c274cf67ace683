"""The played fleet agrees with what can be reckoned exactly, keeps its sums, and replays."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from test_sizing import COSTS

from wsgateway.lab import fleet
from wsgateway.lab.sizing import Demand

ONE_KIND = (np.array([1.0]), np.array([1_000.0]))


def test_waits_agree_with_the_exact_queue() -> None:
    # M/D/1, waits below one service time D: P(wait <= t) = (1 - busy) * exp(busy * t / D)
    (found,) = fleet.waits([0.05], *ONE_KIND)
    assert found.p50_us == 0.0
    assert found.p99_us == pytest.approx(1_000 * log(0.99 / 0.95) / 0.05, rel=0.05)
    (half,) = fleet.waits([0.7], *ONE_KIND)
    assert half.p50_us == pytest.approx(1_000 * log(0.5 / 0.3) / 0.7, rel=0.05)


def test_waits_grow_without_bound_towards_full() -> None:
    calm, full = fleet.waits([0.6, 0.95], *fleet.mixture(Demand(), COSTS))
    assert full.p99_us > 5 * calm.p99_us
    with pytest.raises(ValueError, match="never gets its queue done"):
        fleet.waits([1.0], *ONE_KIND)


def test_the_same_seed_plays_the_same_fleet() -> None:
    one, same, other = (fleet.waits([0.8], *ONE_KIND, seed=seed)[0] for seed in (1, 1, 2))
    assert one == same != other


def test_the_mixture_is_of_messages_both_ways_and_pings() -> None:
    shares, work_us = fleet.mixture(Demand(), COSTS)
    assert shares.sum() == pytest.approx(1.0)
    assert list(work_us) == [150.0, 100.0, 100.0]
    assert shares[0] == shares[1] < shares[2]


@pytest.mark.parametrize(("batch", "gateways"), [(1, 7), (64, 1), (64, 7), (64, 999), (8, 3)])
def test_batches_played_and_reckoned_agree(batch: int, gateways: int) -> None:
    reckoned = fleet.publishes_per_message(batch, gateways)
    assert fleet.play_batches(batch, gateways) == pytest.approx(reckoned, rel=0.02)


def test_batches_thin_out_as_gateways_are_added() -> None:
    thin = [fleet.publishes_per_message(64, gateways) for gateways in (1, 3, 7, 63, 999)]
    assert thin == sorted(thin)
    assert thin[0] == pytest.approx(1 / 64)
    assert thin[-1] > 0.95


def test_one_broker_carries_less_the_more_gateways_there_are() -> None:
    few, many = (fleet.carried_per_s(COSTS, gateways, batch=64) for gateways in (2, 1_000))
    assert many["gateways"] > 50 * few["gateways"]
    assert many["broker"] < few["broker"] / 5
    twice = fleet.carried_per_s(COSTS, 1_000, batch=64, shards=2)
    assert twice["broker"] == pytest.approx(2 * many["broker"])


def test_broadcast_does_not_grow_with_the_fleet() -> None:
    carried = [fleet.broadcast_per_s(COSTS, gateways, batch=64) for gateways in (8, 64, 1_000)]
    assert max(carried) < 1.5 * min(carried)
    # In the limit all a gateway does is hear the others.
    heard_us = COSTS.receiver.message_us + COSTS.receiver.publish_us / 64
    assert carried[-1] == pytest.approx(0.6e6 / heard_us, rel=0.05)


def test_nobody_is_lost_when_gateways_die() -> None:
    found = fleet.spread(1_000_000, 1_000, dead=50)
    assert found.before.sum() == found.after.sum() == found.restarted.sum() == 1_000_000
    assert len(found.after) == 950
    assert found.restarted[:50].sum() == 0
    assert found.after.mean() / found.before.mean() == pytest.approx(1_000 / 950)


def test_a_storm_ends_when_the_slower_of_two_bounds_says_so() -> None:
    users = 50 * 10_000
    broker_bound = fleet.storm(COSTS, connections_each=10_000, busy=0.5, shards=1, play_s=90)
    assert broker_bound.back_s == pytest.approx(users * 40e-6 / 0.5, rel=0.05)
    assert broker_bound.broker_busy == pytest.approx(0.5, rel=0.01)
    free = fleet.storm(COSTS, connections_each=10_000, busy=0.5, shards=1_000)
    # Each survivor gets 526 on average, the fullest about 600.
    assert free.back_s == pytest.approx(users / 950 * 400e-6 / 0.5, rel=0.3)


def test_jitter_spreads_a_storm() -> None:
    at_once, spread = (
        fleet.storm(COSTS, connections_each=10_000, shards=8, over_s=over_s)
        for over_s in (0.0, 20.0)
    )
    assert at_once.wait_s == pytest.approx(at_once.back_s, abs=0.06)
    assert spread.wait_s < 0.2 < at_once.wait_s
    assert spread.back_s > at_once.back_s
    assert spread.broker_busy < at_once.broker_busy
    for one in (at_once, spread):
        assert one.back[-1] == pytest.approx(1.0)
        assert (np.diff(one.back) >= 0).all()


def test_a_storm_that_is_not_over_says_so() -> None:
    dear = replace(COSTS, broker_connect_us=4_000.0)
    late = fleet.storm(dear, connections_each=10_000, play_s=5.0)
    assert late.back_s == float("inf")
    assert late.back[-1] < 1
