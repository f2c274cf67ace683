"""Schedules and storms without machines: what each schedule promises, for any seed."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.lab.reconnect.account import Account, Look
from wsgateway.lab.reconnect.policies import BASE_S, CAP_S, POLICIES, exponential_s, jittered
from wsgateway.lab.reconnect.simulate import Outage, simulate
from wsgateway.lab.reconnect.storm import Storm

SEEDS = range(5)
SMALL = Outage(clients=200, down_s=2.0, limit_per_s=100)


@given(attempt=st.integers(0, 5_000), seed=st.integers(0, 99), share=st.floats(0, 1))
def test_no_wait_is_longer_than_its_bound(attempt: int, seed: int, share: float) -> None:
    wait_s = jittered(share)(attempt, random.Random(seed))
    bound_s = exponential_s(attempt)
    assert (1 - share) * bound_s - 1e-9 <= wait_s <= bound_s + 1e-9
    assert bound_s <= CAP_S


def test_exponential_doubles_up_to_the_cap() -> None:
    assert [exponential_s(n) for n in range(4)] == [BASE_S, 2 * BASE_S, CAP_S, CAP_S]
    with pytest.raises(ValueError, match="share"):
        jittered(1.5)


def test_the_waits_of_real_clients_are_drawn_once_for_all() -> None:
    waits = POLICIES["full jitter"].waits(3, 8)
    assert waits == POLICIES["full jitter"].waits(3, 8)
    assert len({wait for one in waits for wait in one}) == 60, "nobody waits like another"
    assert POLICIES["exponential"].waits(2, 8)[1][:4] == [1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_seed_gives_the_same_storm(name: str) -> None:
    delay_s = POLICIES[name].delay_s
    assert simulate(delay_s, 3, SMALL) == simulate(delay_s, 3, SMALL)
    assert simulate(delay_s, 3, SMALL) != simulate(delay_s, 4, SMALL)


@pytest.mark.parametrize("name", POLICIES)
def test_nobody_is_let_in_while_it_is_down_or_above_the_limit(name: str) -> None:
    storm = simulate(POLICIES[name].delay_s, 1, SMALL)
    assert storm.recovered
    assert min(storm.back) > SMALL.down_s
    per_tenth = Counter(int(at_s * 10) for at_s in storm.back)
    # An answer takes up to 60 ms: what was let in within one tenth is told within two.
    assert max(per_tenth.values()) <= 2 * SMALL.limit_per_s / 10


def test_without_jitter_every_wave_is_everyone_and_with_it_none_is() -> None:
    for seed in SEEDS:
        storms = {name: simulate(one.delay_s, seed) for name, one in POLICIES.items()}
        assert storms["fixed"].peak() == storms["exponential"].peak() == 1_000
        assert storms["full jitter"].peak() < 250
        assert storms["none"].peak() > 2_000


def test_the_waves_of_exponential_backoff_only_move_apart() -> None:
    storm = simulate(POLICIES["exponential"].delay_s, 1, Outage(clients=50, down_s=10.0))
    waves = sorted({round(at_s) for at_s in storm.attempts})
    assert waves == [1, 3, 7, 11]
    assert all(storm.counts(1.0)[second] == 50 for second in waves)


def test_who_gives_up_waiting_is_not_counted_as_back() -> None:
    storm = simulate(POLICIES["fixed"].delay_s, 1, Outage(clients=10, down_s=5.0, patience_s=3.0))
    assert not storm.recovered
    assert storm.back_by(3.0) == 0


def test_a_storm_is_counted_in_buckets() -> None:
    storm = Storm(3, [0.01, 0.05, 0.11, 0.95], [0.5, 0.7, 1.0])
    assert storm.counts() == {0: 2, 1: 1, 9: 1}
    assert (storm.peak(), storm.peak(1.0)) == (2, 4)
    assert (storm.back_by(0.7), storm.all_back_s, storm.recovered) == (2, 1.0, True)
    assert storm.attempts_each == pytest.approx(4 / 3)


def account(*live: int) -> Account:
    looks = [Look(float(at), {"one": count}, {"one": 2 - count}) for at, count in enumerate(live)]
    return Account("a broker", 1, 0.5, {"one": Storm(2, [], [])}, {"one": {"1006": 2}}, looks)


def test_presence_has_healed_when_it_stays_right() -> None:
    assert account(2, 0, 1, 2, 2).healed_s("one") == 3.0
    assert account(2, 2).healed_s("one") == 0.0
    assert account(2, 0, 1, 2).most_dead("one") == 2
    with pytest.raises(ValueError, match="has not healed"):
        account(2, 0, 1).healed_s("one")
