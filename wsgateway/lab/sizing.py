"""What a deployment needs: demand times measured costs. Pure."""

from dataclasses import dataclass
from math import ceil

from wsgateway.kafka.topics import PARTITIONS
from wsgateway.lab.capacity import Costs
from wsgateway.lab.wire import Wire

DAY_S = 86_400
_CORE_US = 1_000_000  # what one core has to spend in a second
_OWN_FILES = 64  # of a gateway without users: its libraries, its links to brokers, its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who uses the service, and what it must withstand.

    Args:
        users: who have an account.
        online: share of them connected at once, at the busiest hour.
        messages_per_day: that each user sends.
        peak: traffic of the busiest hour, as a multiple of the day's mean.
        content_bytes: length of a message.
        ping_s: heartbeat interval, seconds.
        zones: data centres the gateways are spread over; any one of them may fail.
        back_within_s: the users of a failed zone come back spread over so many seconds.
        busy: the highest share of a core that may be in use, with a zone down.
        files_per_gateway: the limit on open files of a gateway process (`ulimit -n`).
    """

    users: int = 10_000_000
    online: float = 0.3
    messages_per_day: float = 40.0
    peak: float = 3.0
    content_bytes: int = 100
    ping_s: float = 30.0
    zones: int = 3
    back_within_s: float = 60.0
    busy: float = 0.6
    files_per_gateway: int = 20_000

    def __post_init__(self) -> None:
        if not (0 < self.online <= 1 and 0 < self.busy <= 1 and self.zones >= 2):
            raise ValueError("online and busy lie in (0, 1], and zones are two at least")
        if min(self.users, self.messages_per_day, self.peak, self.ping_s, self.back_within_s) <= 0:
            raise ValueError("users, messages_per_day, peak, ping_s, back_within_s are positive")

    @property
    def connections(self) -> float:
        """Open at once."""
        return self.users * self.online

    @property
    def messages_per_s(self) -> float:
        """In the busiest hour."""
        return self.users * self.messages_per_day * self.peak / DAY_S

    @property
    def pings_per_s(self) -> float:
        """Heartbeats."""
        return self.connections / self.ping_s

    @property
    def reconnects_per_s(self) -> float:
        """While the users of a failed zone come back."""
        return self.connections / self.zones / self.back_within_s


@dataclass(frozen=True, slots=True)
class Cores:
    """Cores that are fully busy, by what keeps them so."""

    messages: float
    pings: float
    reconnects: float

    @property
    def total(self) -> float:
        """All together."""
        return self.messages + self.pings + self.reconnects


@dataclass(frozen=True, slots=True)
class Plan:
    """What to order.

    Args:
        gateways: processes, one core each, a failed zone's share included.
        bound_by: "cpu" or "files": what decided their number.
        shards: primaries of a Redis Cluster with sharded Pub/Sub; each wants a replica.
        partitions: if Kafka carries the envelopes.
        gateway_cores, broker_cores: how busy the processor is at peak, by cause.
        connections_each, memory_mib_each, files_each, network_mbit_each: of one gateway while a
            zone is down.
        message_us, broker_message_us: what a message costs both its gateways, and the broker.
    """

    gateways: int
    bound_by: str
    shards: int
    partitions: int
    gateway_cores: Cores
    broker_cores: Cores
    connections_each: float
    memory_mib_each: float
    files_each: int
    network_mbit_each: float
    message_us: float
    broker_message_us: float


def plan(demand: Demand, costs: Costs, *, batches: float = 1.0, publishes: float = 1.0) -> Plan:
    """Return what `demand` needs at these costs.

    Args:
        demand: who uses it, and how.
        costs: measured.
        batches, publishes: per message. 1 and 1 mean that nothing is shared: the honest assumption
            for many gateways, each with little to say to each other.
    """
    left = (demand.zones - 1) / demand.zones
    message_us = costs.message_us(batches=batches, publishes=publishes)
    broker_us = costs.broker.of(batches=batches, publishes=publishes)
    at_gateways = _cores(demand, message_us, costs.ping_us, costs.connect_us)
    at_brokers = _cores(demand, broker_us, costs.broker_ping_us, costs.broker_connect_us)
    by_cpu = at_gateways.total / demand.busy
    by_files = demand.connections / (demand.files_per_gateway - _OWN_FILES)
    gateways = demand.zones * ceil(max(by_cpu, by_files, 1.0) / left / demand.zones)
    each = demand.connections / (gateways * left)
    bits = _bits_per_s(demand)
    return Plan(
        gateways=gateways,
        bound_by="cpu" if by_cpu >= by_files else "files",
        shards=max(3, ceil(at_brokers.total / demand.busy)),  # a cluster has three at least
        partitions=gateways * PARTITIONS,
        gateway_cores=at_gateways,
        broker_cores=at_brokers,
        connections_each=each,
        memory_mib_each=each * costs.connection_kib / 1024,
        files_each=ceil(each) + _OWN_FILES,
        network_mbit_each=bits / (gateways * left) / 1e6,
        message_us=message_us,
        broker_message_us=broker_us,
    )


def _cores(demand: Demand, message_us: float, ping_us: float, connect_us: float) -> Cores:
    return Cores(
        demand.messages_per_s * message_us / _CORE_US,
        demand.pings_per_s * ping_us / _CORE_US,
        demand.reconnects_per_s * connect_us / _CORE_US,
    )


def _bits_per_s(demand: Demand) -> float:
    """Return what all gateways together have on their networks, in and out."""
    one = Wire.of(demand.content_bytes)
    per_message = one.message_in + one.message_out
    return 8 * (demand.messages_per_s * per_message + demand.pings_per_s * one.ping)
