"""What becomes of an envelope that arrived, and who is told. Pure."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class Fate(StrEnum):
    """What became of an envelope that arrived.

    `done`: delivered, passed on to another gateway, or taken in. `offline`: its user is nowhere
    now. `unknown`: that cannot be decided now. `malformed`: it is no envelope.
    """

    DONE = "done"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"


class Kept(Protocol):
    """An envelope that its router keeps until it is settled."""

    def wanted(self) -> bool:
        """Whether it may go on: not once an earlier one of its user has come back."""

    def again(self) -> bool:
        """Whether it was offered before."""

    def waits(self, recall: Callable[[], None]) -> None:
        """Say that it waits, perhaps for what is behind it: offer that too.

        Args:
            recall: told when an earlier one comes back, and this one must too.
        """

    def settle(self, fate: Fate) -> bool:
        """Tell the router, once; return whether it will offer the envelope again."""
