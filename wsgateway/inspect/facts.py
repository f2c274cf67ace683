"""What can be seen, as it is printed with `--json`. Pure."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """What a presence record says of a user.

    `stale`: it names a gateway that is gone. `unreadable`: no gateway wrote what is there.
    """

    CONNECTED = "connected"
    STALE = "stale"
    UNREADABLE = "unreadable"
    NOWHERE = "nowhere"


class UserFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a user is.

    Args:
        epoch_us: when the user registered, by the clock of Redis, microseconds since 1970; None:
            no number that can be one.
        left_s: seconds until the record lapses; None: never.
    """

    user: str
    state: State
    gateway: str | None = None
    connection: str | None = None
    epoch_us: int | None = None
    left_s: float | None = None


class LeaseFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who holds a gateway id, and who reads that gateway's topic in its place.

    Args:
        holder: the process, in its own words; None: nobody, the gateway is gone.
        left_s: seconds until the lease lapses.
        adopted_by: the gateway that has adopted its topic.
    """

    holder: str | None = None
    left_s: float | None = None
    adopted_by: str | None = None

    @property
    def alive(self) -> bool:
        """Whether somebody holds the id."""
        return self.holder is not None

    def reader(self, gateway_id: str) -> str:
        """Return who reads the topic of `gateway_id`, for a person."""
        if self.adopted_by is not None:
            return f"{self.adopted_by} (adopted)"
        return gateway_id if self.alive else "nobody"


class GatewayFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One gateway, known by its lease, its users, its channel or its topic.

    Args:
        users: presence records that name it.
        subscribers: of its channel; None in Kafka mode.
        lag: records of its topic that are not committed; None: no topic.
    """

    id: str
    lease: LeaseFact
    users: int
    subscribers: int | None = None
    lag: int | None = None


class GatewaysReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All gateways.

    Args:
        broker: what carries the envelopes.
        adopter: the gateway that looks for topics without a reader.
        complete: whether all keys were looked at; else `users` are lower bounds.
    """

    router: str
    broker: str
    adopter: str | None = None
    complete: bool
    gateways: list[GatewayFact]


class ChannelFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A channel of Redis Pub/Sub; `gateway` is None for the broadcast channel."""

    name: str
    gateway: str | None
    subscribers: int
    lease: LeaseFact | None


class PartitionFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a partition begins and ends; `committed` and `lag` only where a gateway commits."""

    partition: int
    begin: int
    end: int
    committed: int | None = None
    lag: int | None = None


class TopicFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A topic of ours; `gateway` is None for the two that all gateways share."""

    name: str
    gateway: str | None
    lease: LeaseFact | None = None
    partitions: list[PartitionFact]

    @property
    def lag(self) -> int:
        """Records that are not committed."""
        return sum(one.lag or 0 for one in self.partitions)


class TopicsReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Topics, or in Redis mode channels: `note` says what that means."""

    router: str
    broker: str
    group: str | None = None
    note: str | None = None
    topics: list[TopicFact] = []
    channels: list[ChannelFact] = []


class LetterFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A dead letter.

    Args:
        time_ms: when it was written there, ms since 1970.
        gateway, partition, offset: the topic it came from, and where it lay.
        sender, id: None when it cannot be read as a message, or has no id.
        bytes: size of key and envelope.
        content: what it says; unset unless asked for.
    """

    time_ms: int
    reason: str
    gateway: str
    partition: int | None
    offset: int | None
    user: str
    sender: str | None
    id: str | None
    bytes: int
    content: str | msgspec.UnsetType = msgspec.UNSET


class LettersReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The newest dead letters, oldest first; `total` is how many the topic still has."""

    router: str
    broker: str
    topic: str | None = None
    note: str | None = None
    total: int = 0
    letters: list[LetterFact] = []


Report = UserFact | GatewaysReport | TopicsReport | LettersReport
