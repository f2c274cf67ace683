"""The hub against two naive lists: its two maps never disagree."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wsgateway.hub import Hub

USERS = [f"u{n}" for n in range(5)]
CONNECTIONS = list(range(7))


class HubMachine(RuleBasedStateMachine):
    """Binds and unbinds at random; the model is a list of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub[int] = Hub()
        self.pairs: list[tuple[str, int]] = []

    @rule(user=st.sampled_from(USERS), connection=st.sampled_from(CONNECTIONS))
    def bind(self, user: str, connection: int) -> None:
        if any(c == connection and u != user for u, c in self.pairs):
            with pytest.raises(ValueError, match="one user only"):
                self.hub.bind(user, connection)
            return
        before = [c for u, c in self.pairs if u == user]
        expected = before[0] if before and before[0] != connection else None
        assert self.hub.bind(user, connection) == expected
        self.pairs = [(u, c) for u, c in self.pairs if u != user] + [(user, connection)]

    @rule(connection=st.sampled_from(CONNECTIONS))
    def unbind(self, connection: int) -> None:
        users = [u for u, c in self.pairs if c == connection]
        assert self.hub.unbind(connection) == (users[0] if users else None)
        self.pairs = [(u, c) for u, c in self.pairs if c != connection]

    @rule()
    def unbind_while_iterating(self) -> None:
        for _, connection in self.hub:
            self.hub.unbind(connection)
        self.pairs = []

    @invariant()
    def both_maps_agree_with_the_model(self) -> None:
        assert len(self.hub) == len(self.pairs)
        assert sorted(self.hub) == sorted(self.pairs)
        for user in USERS:
            connections = [c for u, c in self.pairs if u == user]
            assert self.hub.connection_of(user) == (connections[0] if connections else None)
        for connection in CONNECTIONS:
            users = [u for u, c in self.pairs if c == connection]
            assert self.hub.user_of(connection) == (users[0] if users else None)


TestHub = HubMachine.TestCase
