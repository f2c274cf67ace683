"""What a run is asked to do, and what came of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from wsgateway.errors import WsGatewayError

MOST_LATENCIES = 20_000
# The content begins with two numbers: which message of its pair this is, and when it was due.
SMALLEST_BYTES = 40


class BenchError(WsGatewayError):
    """A run could not be made, or did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is offered to a cluster.

    Args:
        nodes: server processes.
        pairs: sender-recipient pairs; half the senders are on each node, if there are two.
        size_bytes: length of a message's content.
        in_flight: messages of a pair on their way at once (closed loop).
        rate_per_s: messages per second of all pairs together, at random moments (open loop);
            None means closed loop: a receipt lets the sender send the next.
        warmup_s: sent but not measured, seconds.
        duration_s: measured, seconds.
        load_processes: processes that send and receive.
        idle_users: registered users besides, who say nothing.
        across: whether the recipient is on another node than the sender.
        quiet_s: when nothing has come for so long after the end, what is missing is lost, seconds.
        seed: of all that is random.

    Raises:
        BenchError: a value makes no sense.
    """

    nodes: int = 2
    pairs: int = 50
    size_bytes: int = 100
    in_flight: int = 32
    rate_per_s: float | None = None
    warmup_s: float = 1.0
    duration_s: float = 5.0
    load_processes: int = 2
    idle_users: int = 0
    across: bool = True
    quiet_s: float = 3.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("nodes", "in_flight", "duration_s", "load_processes", "quiet_s"):
            if getattr(self, name) <= 0:
                raise BenchError(f"{name} {getattr(self, name)}: must be above 0")
        for name in ("pairs", "warmup_s", "idle_users"):
            if getattr(self, name) < 0:
                raise BenchError(f"{name} {getattr(self, name)}: must not be below 0")
        if self.size_bytes < SMALLEST_BYTES:
            raise BenchError(f"size_bytes {self.size_bytes}: must be {SMALLEST_BYTES} or more")
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise BenchError(f"rate_per_s {self.rate_per_s}: must be above 0")


@dataclass(frozen=True, slots=True)
class Moment:
    """A look at a run from outside.

    Args:
        at_s: seconds since the measured part began; negative in the warm-up.
        sent, received, refused: messages so far, from the first.
        rss_kib: resident memory of each node.
    """

    at_s: float
    sent: int
    received: int
    refused: int
    rss_kib: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run.

    Args:
        target: what was measured.
        shape: what was offered.
        delivered: messages that arrived in the measured part, each counted once.
        per_s: the same, per second.
        lost: sent, not refused, and never arrived; warm-up included, as in the next four.
        doubled: arrived again.
        reordered: arrived after a later one of their pair.
        refused: error code, or status of an ack that means no delivery -> how often.
        unanswered: messages without ack or refusal, where the server promises one.
        latencies_ms: one-way, sorted, a sample of at most 20,000; from the instant a message was
            due (open loop) or sent (closed loop).
        node_cpu_s, broker_cpu_s, load_cpu_s: CPU time of all nodes, of the brokers, and of the
            load processes, in the measured part.
        rss_kib: resident memory of each node at the end of the measured part.
        idle_rss_kib: the same before the first message.
        broker: names and versions of the brokers.
        sent: messages sent in all.
        held: messages that were due but not sent, since the socket was full: the server reads no
            further, and the sender feels it.
        late_ms: how late the load processes themselves were, 99th percentile (open loop).
        closed: close code, or what else ended a connection -> how often.
        moments: the run in time.
    """

    target: str
    shape: Shape
    delivered: int
    per_s: float
    lost: int
    doubled: int
    reordered: int
    refused: dict[str, int]
    latencies_ms: list[float]
    node_cpu_s: float
    broker_cpu_s: float
    load_cpu_s: float
    rss_kib: list[int]
    unanswered: int = 0
    idle_rss_kib: list[int] = field(default_factory=list)
    broker: str = ""
    sent: int = 0
    held: int = 0
    late_ms: float = 0.0
    closed: dict[str, int] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)

    def p(self, percent: float) -> float:
        """Return a percentile of the latencies, milliseconds; 0 if there are none."""
        return percentile(self.latencies_ms, percent)

    @property
    def cpu_s_per_1000(self) -> float:
        """CPU seconds of all nodes per 1,000 delivered messages."""
        return 1000 * self.node_cpu_s / max(self.delivered, 1)

    @property
    def broker_cpu_s_per_1000(self) -> float:
        """CPU seconds of the brokers per 1,000 delivered messages."""
        return 1000 * self.broker_cpu_s / max(self.delivered, 1)

    @property
    def load_cpu_s_per_1000(self) -> float:
        """CPU seconds of the load processes per 1,000 delivered messages."""
        return 1000 * self.load_cpu_s / max(self.delivered, 1)

    @property
    def faults(self) -> dict[str, int]:
        """What must not happen, and did: lost, doubled, reordered, unanswered."""
        names = ("lost", "doubled", "reordered", "unanswered")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed (nearest rank).

    Args:
        ordered: values, sorted; 0 comes back if there are none.
        percent: 0 to 100.
    """
    if not ordered:
        return 0.0
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1]


def thinned(ordered: Sequence[float], most: int) -> list[float]:
    """Return at most `most` of sorted values, evenly spaced, so that their shape remains."""
    if len(ordered) <= most:
        return list(ordered)
    return [ordered[(2 * place + 1) * len(ordered) // (2 * most)] for place in range(most)]
