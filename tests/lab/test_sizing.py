"""The capacity plan: reckoned by hand, monotonic, and every step shown."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.kafka.topics import PARTITIONS
from wsgateway.lab import reckoning
from wsgateway.lab.capacity import Costs, Price
from wsgateway.lab.sizing import Demand, plan
from wsgateway.lab.wire import Wire
from wsgateway.protocol import Message, encode

COSTS = Costs(
    sender=Price(30.0, 100.0, 20.0),
    receiver=Price(10.0, 0.0, 90.0),
    broker=Price(1.0, 30.0, 19.0),
    ping_us=100.0,
    broker_ping_us=25.0,
    connect_us=400.0,
    broker_connect_us=40.0,
    connection_kib=8.0,
)


def test_ten_million_users_reckoned_by_hand() -> None:
    demand = Demand(
        users=10_000_000, online=0.3, messages_per_day=86.4, peak=2.0, ping_s=30.0, zones=3,
        back_within_s=100.0, busy=0.5, files_per_gateway=10_064,
    )  # fmt: skip
    made = plan(demand, COSTS)
    # 20,000 messages x 250 us, 100,000 pings x 100 us, 10,000 reconnects x 400 us, each second
    assert made.gateway_cores.messages == pytest.approx(5.0)
    assert made.gateway_cores.pings == pytest.approx(10.0)
    assert made.gateway_cores.reconnects == pytest.approx(4.0)
    # 19 cores / 0.5 = 38, and 3,000,000 / 10,000 = 300: files decide; one zone of three is spare
    assert (made.gateways, made.bound_by) == (450, "files")
    assert made.connections_each == pytest.approx(10_000)
    assert made.files_each == 10_064
    assert made.memory_mib_each == pytest.approx(10_000 * 8 / 1024)
    # 20,000 x 50 us + 100,000 x 25 us + 10,000 x 40 us = 3.9 cores / 0.5
    assert made.shards == 8
    assert made.partitions == 450 * PARTITIONS


def test_with_files_enough_the_processor_decides() -> None:
    made = plan(Demand(files_per_gateway=10_000_000, busy=0.5), COSTS)
    assert made.bound_by == "cpu"
    by_hand = made.gateway_cores.total / 0.5 * 3 / 2
    assert by_hand <= made.gateways < by_hand + 3


@given(st.integers(1, 10**8), st.sampled_from(["users", "messages_per_day", "peak", "online"]))
def test_more_of_anything_never_needs_less(users: int, field: str) -> None:
    less = Demand(users=users, online=0.2)
    more = replace(less, **{field: getattr(less, field) * 2})
    assert plan(more, COSTS).gateways >= plan(less, COSTS).gateways
    assert plan(more, COSTS).shards >= plan(less, COSTS).shards


def test_a_slower_heartbeat_and_fuller_batches_cost_less() -> None:
    base = plan(Demand(), COSTS)
    assert plan(Demand(ping_s=60.0), COSTS).gateway_cores.pings == base.gateway_cores.pings / 2
    shared = plan(Demand(), COSTS, batches=0.1, publishes=0.2)
    assert shared.gateway_cores.messages < base.gateway_cores.messages / 2


def test_gateways_fill_whole_zones_and_one_zone_may_fail() -> None:
    for zones in (2, 3, 5):
        demand = Demand(zones=zones)
        made = plan(demand, COSTS)
        assert made.gateways % zones == 0
        left = made.gateways * (zones - 1) // zones
        assert demand.connections / left + 64 <= demand.files_per_gateway
        assert made.gateway_cores.total / left <= demand.busy


def test_every_step_is_shown_in_both_languages() -> None:
    demand = Demand()
    made = plan(demand, COSTS)
    steps = reckoning.steps(demand, COSTS, made)
    shown = {english: (value, how) for english, _, value, how in steps}
    assert shown["connections"] == ("3,000,000", "10,000,000 x 0.3")
    assert "250 us" in shown["busy gateway cores"][1]
    assert shown["gateways"][0] == f"{made.gateways:,}"
    assert all(english.isascii() and not chinese.isascii() for english, chinese, *_ in steps)


@pytest.mark.parametrize("nonsense", [{"zones": 1}, {"busy": 0}, {"online": 1.5}, {"users": 0}])
def test_nonsense_is_refused(nonsense: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"two at least|positive"):
        Demand(**nonsense)  # type: ignore[arg-type]  # by name


def test_the_wire_counts_real_frames() -> None:
    small, large = Wire.of(100), Wire.of(1_100)
    assert large.message_in - small.message_in == 2_000  # in the frame, and in the envelope
    assert large.message_out - small.message_out == 2_000
    assert small.message_in > 2 * len(encode(Message("user-1234567", "x" * 100)))
