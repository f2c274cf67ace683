"""How a plan came about, line by line: what is measured, what is demanded, what follows."""

from wsgateway.kafka.topics import PARTITIONS
from wsgateway.lab.capacity import Costs
from wsgateway.lab.language import text
from wsgateway.lab.sizing import DAY_S, Demand, Plan

Step = tuple[str, str, str, str]
"""(English, Chinese, value, how it came about)."""


def show(demand: Demand, costs: Costs, made: Plan) -> None:
    """Print the reckoning in the chosen language: what, how much, and from what."""
    for english, chinese, value, how in steps(demand, costs, made):
        print(f"{value:>10}  {text(english, chinese, separator=' / ')}  =  {how}")


def steps(demand: Demand, costs: Costs, made: Plan) -> tuple[Step, ...]:
    """Return the reckoning; us and KiB in it are measured."""
    return (*_load(demand), *_order(demand, costs, made), *_each(demand, costs, made))


def _load(d: Demand) -> tuple[Step, ...]:
    """Return what the demand comes to."""
    return (
        ("connections", "连接数", f"{d.connections:,.0f}", f"{d.users:,} x {d.online:g}"),
        (
            "messages per second",
            "每秒消息数",
            f"{d.messages_per_s:,.0f}",
            f"{d.users:,} x {d.messages_per_day:g} / {DAY_S:,} s x {d.peak:g}",
        ),
        (
            "heartbeats per second",
            "每秒心跳数",
            f"{d.pings_per_s:,.0f}",
            f"{d.connections:,.0f} / {d.ping_s:g} s",
        ),
        (
            "reconnects per second",
            "每秒重连数",
            f"{d.reconnects_per_s:,.0f}",
            f"{d.connections:,.0f} / {d.zones} / {d.back_within_s:g} s",
        ),
    )


def _order(d: Demand, costs: Costs, made: Plan) -> tuple[Step, ...]:
    """Return what is needed for it; µs and KiB in it are measured, the rest is demand."""
    busy = f"{made.gateway_cores.total:.1f}"
    zones = f"{d.zones} / {d.zones - 1}"
    return (
        (
            "busy gateway cores",
            "网关占满的核数",
            busy,
            f"{d.messages_per_s:,.0f} x {made.message_us:.0f} us + {d.pings_per_s:,.0f} x "
            f"{costs.ping_us:.0f} us + {d.reconnects_per_s:,.0f} x {costs.connect_us:.0f} us",
        ),
        (
            "gateways",
            "网关数",
            f"{made.gateways:,}",
            f"{busy} / {d.busy:g} x {zones}"
            if made.bound_by == "cpu"
            else f"{d.connections:,.0f} / {d.files_per_gateway:,} files x {zones}",
        ),
        (
            "Redis Cluster shards",
            "Redis Cluster 分片",
            f"{made.shards:,}",
            f"({d.messages_per_s:,.0f} x {made.broker_message_us:.0f} us + {d.pings_per_s:,.0f} x "
            f"{costs.broker_ping_us:.0f} us + ...) / {d.busy:g}, 3 at least",
        ),
        (
            "Kafka partitions, if it is Kafka",
            "若用 Kafka：分区数",
            f"{made.partitions:,}",
            f"{made.gateways:,} x {PARTITIONS}",
        ),
    )


def _each(d: Demand, costs: Costs, made: Plan) -> tuple[Step, ...]:
    """Return what each gateway has to bear while a zone is down."""
    each = made.connections_each
    return (
        (
            "connections each, a zone down",
            "少一个可用区时每个网关的连接",
            f"{each:,.0f}",
            f"{d.connections:,.0f} / ({made.gateways:,} x {d.zones - 1} / {d.zones})",
        ),
        (
            "memory for them, MiB",
            "这些连接的内存，MiB",
            f"{made.memory_mib_each:,.0f}",
            f"{each:,.0f} x {costs.connection_kib:.1f} KiB",
        ),
        ("open files each", "每个网关的打开文件", f"{made.files_each:,}", "ulimit -n"),
        (
            "network each, Mbit/s",
            "每个网关的网络，Mbit/s",
            f"{made.network_mbit_each:,.1f}",
            "frames, acks, envelopes, heartbeats, with their packets",
        ),
    )
