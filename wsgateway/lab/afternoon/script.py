"""The afternoon as data: who sends what and when, and what goes wrong. Pure."""

import random
from dataclasses import dataclass, replace
from typing import Literal

Mode = Literal["redis", "kafka"]
MODES: tuple[Mode, ...] = ("redis", "kafka")


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of messages, and what its users need.

    Args:
        name: what it is called.
        patience_s: the sender's client writes a message again until then, seconds.
        keep: none that the sender was promised may be lost.
        fresh_s: worse than nothing when it arrives later than this, seconds; None: never.
        away: the recipient is not there all afternoon, and must read it tomorrow.
    """

    name: str
    patience_s: float = 30.0
    keep: bool = False
    fresh_s: float | None = None
    away: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """So many messages per second of each kind, from `begin_s` to `end_s`."""

    begin_s: float
    end_s: float
    rate: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong.

    Args:
        at_s: when it begins, seconds; later if the one before it is not over by then.
        victim: "receiver": the recipients' gateway; "broker": Redis, or Kafka.
        what: "pause" (SIGSTOP), or "kill": the receiver hangs first, as a process does that
            runs out of memory.
        lasts_s: how long a pause takes, or how long what was killed is left dead, seconds.
    """

    at_s: float
    victim: Literal["receiver", "broker"]
    what: Literal["pause", "kill"]
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """One afternoon.

    Args:
        kinds: the classes of messages.
        loads: one after another.
        troubles: in order of time.
        pairs: senders of each kind, each with a recipient of its own.
    """

    kinds: tuple[Kind, ...]
    loads: tuple[Load, ...]
    troubles: tuple[Trouble, ...]
    pairs: int = 2

    def kind(self, name: str) -> Kind:
        """Return the kind of that name."""
        return next(kind for kind in self.kinds if kind.name == name)

    def without(self, victim: str) -> "Script":
        """Return the same afternoon in which nothing happens to `victim`."""
        return replace(self, troubles=tuple(one for one in self.troubles if one.victim != victim))

    def lasting(self, what: str, lasts_s: float) -> "Script":
        """Return the same afternoon in which every pause, or every kill, lasts so long, seconds."""
        troubles = [
            replace(one, lasts_s=lasts_s) if one.what == what else one for one in self.troubles
        ]
        return replace(self, troubles=tuple(troubles))


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be sent `at_s` seconds after the beginning, by the sender number `pair`."""

    at_s: float
    kind: Kind
    pair: int

    @property
    def sender(self) -> str:
        """User id of who sends it."""
        return f"{self.kind.name}-from-{self.pair}"

    @property
    def recipient(self) -> str:
        """User id of who it is for."""
        return f"{self.kind.name}-to-{self.pair}"


AFTERNOON = Script(
    kinds=(
        Kind("typing", patience_s=1.0, fresh_s=0.5),
        Kind("score", patience_s=1.0, fresh_s=0.5),
        Kind("chat", keep=True),
        Kind("order", keep=True),
        Kind("note", away=True),
    ),
    loads=(Load(0.0, 1.5, 20), Load(1.5, 2.5, 100), Load(2.5, 12.0, 20)),
    troubles=(
        Trouble(3.0, "receiver", "pause", 2.0),
        Trouble(6.0, "receiver", "kill", 0.5),
        Trouble(9.5, "broker", "kill", 1.0),
    ),
)


def timetable(script: Script, seed: int) -> list[Due]:
    """Return what is sent when, in order of time; the same seed gives the same list."""
    # Why: people do not send in step. Moments drawn at random, evenly over a load, are a Poisson
    # process whose number of messages is fixed, so that both ledgers are of one length.
    # 原因：人们不会按节拍发送。在一段负载里均匀随机地取时刻，就是条数固定的泊松过程，
    # 这样两本账的总数一样。
    rng = random.Random(seed)
    found = [
        Due(rng.uniform(load.begin_s, load.end_s), kind, rng.randrange(script.pairs))
        for load in script.loads
        for kind in script.kinds
        for _ in range(round(load.rate * (load.end_s - load.begin_s)))
    ]
    return sorted(found, key=lambda due: due.at_s)
