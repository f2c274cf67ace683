"""Local connections: user -> connection and connection -> user, O(1) both ways."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)


class Hub(Generic[C]):
    """A one-to-one map between users and connections; both directions always agree."""

    def __init__(self) -> None:
        self._connection_of: dict[str, C] = {}
        self._user_of: dict[C, str] = {}

    def __len__(self) -> int:
        return len(self._connection_of)

    def __iter__(self) -> Iterator[tuple[str, C]]:
        """Iterate over a snapshot, so that the loop may bind and unbind."""
        return iter(list(self._connection_of.items()))

    def bind(self, user: str, connection: C) -> C | None:
        """Make `connection` the one of `user`; return the connection it displaces, if any.

        Raises:
            ValueError: the connection already speaks for another user.
        """
        if self._user_of.get(connection, user) != user:
            raise ValueError("a connection speaks for one user only")
        displaced = self._connection_of.get(user)
        if displaced is not None:
            del self._user_of[displaced]
        self._connection_of[user] = connection
        self._user_of[connection] = user
        return displaced if displaced != connection else None

    def unbind(self, connection: C) -> str | None:
        """Forget `connection`; return its user, or None when it has none (any more)."""
        user = self._user_of.pop(connection, None)
        if user is not None:
            del self._connection_of[user]
        return user

    def connection_of(self, user: str) -> C | None:
        """Return the local connection of `user`, or None."""
        return self._connection_of.get(user)

    def user_of(self, connection: C) -> str | None:
        """Return the user of `connection`, or None."""
        return self._user_of.get(connection)
