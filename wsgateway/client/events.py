"""What a `Client` gives its user: messages, and events about its connection. Pure."""

from dataclasses import dataclass

from wsgateway.protocol import Hop

NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True)
class Message:
    """A message from another user.

    Args:
        from_user: the sender.
        content: the text.
        id: the sender's id for it, if it gave one.
        trace: the hop timestamps, if the sender asked for them; None otherwise.
        received_us: when this client read it, microseconds since the Unix epoch, own clock.
    """

    from_user: str
    content: str
    id: str | None
    trace: tuple[Hop, ...] | None
    received_us: int


@dataclass(frozen=True, slots=True)
class Connected:
    """Registered at a gateway: for the first time, or again."""

    gateway_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The gateway is gone: its close code (1006: none came) and reason."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An attempt to connect and register failed, and why."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The next attempt: after how many seconds, and where."""

    delay_s: float
    url: str


@dataclass(frozen=True, slots=True)
class LateFailure:
    """A message whose `send` had returned `routed` or `accepted` has failed after all.

    Args:
        id: its id.
        code: `offline`: it ended nowhere; `unknown`: nobody can tell whether it arrived.
    """

    id: str
    code: str


Event = Connected | Disconnected | Unreachable | Retrying | LateFailure
