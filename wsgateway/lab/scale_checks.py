"""The checks of the exercises on size: find a bottleneck, order gateways, spread a return."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from random import Random
from typing import Any

from wsgateway.lab.capacity import Costs, Price
from wsgateway.lab.checks import call, expect, grade
from wsgateway.lab.sizing import Demand, plan

_CORE_US = 1_000_000
_NAMES = ("gateways", "broker", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sick:
    """Figures of a deployment that is slow.

    Args:
        gateways, shards: processes, one core each.
        connections: open in all.
        files_per_gateway: the limit on open files of a gateway.
        messages_per_s, pings_per_s: in all.
        message_us, ping_us: CPU time of all gateways for one.
        broker_message_us, broker_ping_us: CPU time of the broker for one.
    """

    gateways: int
    shards: int
    connections: int
    files_per_gateway: int
    messages_per_s: float
    pings_per_s: float
    message_us: float
    ping_us: float
    broker_message_us: float
    broker_ping_us: float


def bottleneck(answer: Callable[[Sick], Any]) -> bool:
    """Exercise 9.1: `answer(figures)` is (what is used the most, the share of it in use)."""

    def check() -> None:
        rng = Random(91)  # fixed: the same answer always gets the same hint
        for _ in range(40):
            figures = _sick(rng)
            used = _used(figures)
            found = call(answer, figures)
            expect(
                isinstance(found, tuple) and len(found) == 2 and found[0] in _NAMES,
                'Return a pair: "gateways", "broker" or "files", and the share in use.',
                '应返回一个二元组："gateways"、"broker" 或 "files"，以及占用的比例。',
            )
            name, share = found
            silent = _used(replace(figures, pings_per_s=0.0))
            expect(
                abs(share - silent[name]) > 1e-6 or silent[name] == used[name],
                "Heartbeats are work too: every one costs the gateways and the broker.",
                "心跳也是活：每一次都要花网关和代理的时间。",
            )
            whole = used["broker"] * figures.shards
            expect(
                name != "broker" or figures.shards == 1 or abs(share - whole) > 1e-6,
                f"There are {figures.shards} shards, and each has a core of its own.",
                f"有 {figures.shards} 个分片，每个都有自己的一个核。",
            )
            most = max(used, key=lambda one: used[one])
            expect(
                name == most and abs(share - used[most]) < 1e-6,
                f"In one deployment {most} are used to {used[most]:.0%}, the most of the three, "
                f"and your function says {name}, {share:.0%}.",
                f"有一个部署里占用最多的是 {most}，{used[most]:.0%}，"
                f"你的函数却说是 {name}，{share:.0%}。",
            )

    return grade("9.1", check)


def _used(sick: Sick) -> dict[str, float]:
    at_gateways = sick.messages_per_s * sick.message_us + sick.pings_per_s * sick.ping_us
    at_broker = (
        sick.messages_per_s * sick.broker_message_us + sick.pings_per_s * sick.broker_ping_us
    )
    return {
        "gateways": at_gateways / (sick.gateways * _CORE_US),
        "broker": at_broker / (sick.shards * _CORE_US),
        "files": sick.connections / (sick.gateways * sick.files_per_gateway),
    }


def _sick(rng: Random) -> Sick:
    gateways, shards = rng.randint(4, 60), rng.randint(1, 6)
    connections = gateways * rng.randint(2_000, 18_000)
    return Sick(
        gateways=gateways,
        shards=shards,
        connections=connections,
        files_per_gateway=20_000,
        messages_per_s=gateways * rng.randint(100, 2_000),
        pings_per_s=connections / rng.choice((10, 30, 60)),
        message_us=rng.choice((250.0, 300.0)),
        ping_us=rng.choice((100.0, 120.0)),
        broker_message_us=rng.choice((20.0, 50.0)),
        broker_ping_us=rng.choice((15.0, 25.0)),
    )


def gateways(answer: Callable[[Demand, Costs], Any]) -> bool:
    """Exercise 9.2: `answer(demand, costs)` is how many gateways to order."""

    def check() -> None:
        rng = Random(92)
        for _ in range(40):
            demand, costs = _demand(rng), _costs(rng)
            wanted = plan(demand, costs)
            found = call(answer, demand, costs)
            expect(isinstance(found, int), "Return a whole number.", "应返回整数。")
            _compare(found, wanted.gateways, demand, costs)

    return grade("9.2", check)


def _compare(found: int, wanted: int, demand: Demand, costs: Costs) -> None:
    cores = plan(demand, costs).gateway_cores
    by_files = demand.connections / (demand.files_per_gateway - 64)
    left = (demand.zones - 1) / demand.zones
    one = f"{demand.connections:,.0f} connections in {demand.zones} zones"
    one_zh = f"{demand.connections:,.0f} 条连接、{demand.zones} 个可用区"
    expect(
        found >= ceil(max(cores.total / demand.busy, by_files)),
        f"{one}: {found} gateways are too few even with every zone up. Count messages, heartbeats "
        "and reconnects, divide by `busy`, and mind the limit on files.",
        f"{one_zh}：即使所有可用区都正常，{found} 个网关也不够。消息、心跳、重连都要算，"
        "再除以 `busy`，还要看文件数上限。",
    )
    expect(
        found * left >= max(cores.total / demand.busy, by_files) - 1e-9,
        f"{one}: {found} gateways are enough until a zone fails; the rest must do it all.",
        f"{one_zh}：{found} 个网关平时够用；但坏掉一个可用区后，剩下的得承担全部。",
    )
    expect(
        found == wanted,
        f"{one}: {wanted} gateways are enough, the same number in each zone; you order {found}.",
        f"{one_zh}：{wanted} 个网关就够了，每个可用区一样多；你订了 {found} 个。",
    )


def _demand(rng: Random) -> Demand:
    return Demand(
        users=rng.randrange(1_000_000, 50_000_000, 1_000_000),
        online=rng.choice((0.1, 0.3, 1.0)),
        messages_per_day=rng.choice((10.0, 40.0, 400.0)),
        peak=rng.choice((2.0, 4.0)),
        ping_s=rng.choice((20.0, 30.0, 60.0)),
        zones=rng.choice((2, 3, 4)),
        back_within_s=rng.choice((20.0, 60.0)),
        busy=rng.choice((0.5, 0.7)),
        files_per_gateway=rng.choice((20_064, 100_064)),
    )


def _costs(rng: Random) -> Costs:
    return Costs(
        sender=Price(rng.uniform(20, 40), rng.uniform(80, 150), rng.uniform(2, 20)),
        receiver=Price(rng.uniform(10, 20), 0.0, rng.uniform(60, 120)),
        broker=Price(1.0, 30.0, 15.0),
        ping_us=rng.uniform(80, 200),
        broker_ping_us=20.0,
        connect_us=rng.uniform(200, 600),
        broker_connect_us=30.0,
        connection_kib=8.0,
    )


def spread_s(answer: Callable[[int, Costs, int, int, float], Any]) -> bool:
    """Exercise 9.3: over how many seconds must users come back, at the least?

    Args:
        answer: gets users, costs, gateways and shards that are left, and the spare share of each.
    """

    def check() -> None:
        rng = Random(93)
        for _ in range(40):
            costs, users = _costs(rng), rng.randrange(10_000, 5_000_000, 10_000)
            left, shards = rng.randint(2, 900), rng.randint(1, 30)
            spare = rng.choice((0.2, 0.4, 0.6))
            at_gateways = users * costs.connect_us / (left * spare * _CORE_US)
            at_broker = users * costs.broker_connect_us / (shards * spare * _CORE_US)
            found = call(answer, users, costs, left, shards, spare)
            expect(
                isinstance(found, int | float),
                "Return seconds, one number.",
                "应返回秒数，一个数。",
            )
            both = f"the gateways need {at_gateways:.2f} s, the broker {at_broker:.2f} s"
            both_zh = f"网关要 {at_gateways:.2f} 秒，代理要 {at_broker:.2f} 秒"
            expect(
                abs(found / spare - max(at_gateways, at_broker)) > 1e-6 * found,
                "Only the spare share of each core is free for them.",
                "每个核只有空闲的那一部分能给他们用。",
            )
            expect(
                abs(found - max(at_gateways, at_broker)) <= 1e-6 * max(at_gateways, at_broker),
                f"{users:,} users: {both}. They work side by side, and the slower one decides; "
                f"you say {found:.2f} s.",
                f"{users:,} 个用户：{both_zh}。两边同时干，由慢的那一边决定；"
                f"你说的是 {found:.2f} 秒。",
            )

    return grade("9.3", check)
