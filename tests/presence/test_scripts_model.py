"""The three scripts against a model in plain Python: every step answers as the model says."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from wsgateway.brokers import RedisServer
from wsgateway.presence.redis import REFRESH, REGISTER, UNREGISTER
from wsgateway.redis.calls import Script

GATEWAYS = st.sampled_from(["g1", "g2", "g3"])
TTL_MS = 60_000
Session = tuple[str, str, int]  # gateway, connection, epoch


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        yield redis


def test_the_scripts_agree_with_the_model(redis: Redis, key_prefix: str) -> None:
    class OneUser(PresenceMachine):
        server = redis
        key = f"{key_prefix}presence:bob"

    run_state_machine_as_test(OneUser, settings=settings(max_examples=60, stateful_step_count=30))


class PresenceMachine(RuleBasedStateMachine):
    """One user's sessions come, refresh, expire and are cleaned up, early and late."""

    server: Redis
    key: str
    sessions = Bundle("sessions")

    @initialize()
    def empty(self) -> None:
        self.server.delete(self.key)
        self.owner: Session | None = None
        self.count = 0

    def call(self, script: Script, *args: object) -> list[str] | str | int:
        reply: list[str] | str | int = self.server.eval(script.source, 1, self.key, *args)
        return reply

    @rule(target=sessions, gateway=GATEWAYS)
    def register(self, gateway: str) -> Session:
        self.count += 1
        conn = f"c{self.count}"
        epoch, *displaced = self.call(REGISTER, gateway, conn, TTL_MS)
        before = self.owner
        assert displaced == ([before[0], before[1], str(before[2])] if before else ["", "", ""])
        assert int(epoch) > (before[2] if before else 0)
        self.owner = (gateway, conn, int(epoch))
        return self.owner

    @rule(session=sessions)
    def refresh(self, session: Session) -> None:
        if self.owns(session):
            expected = "refreshed"
        elif self.owner is None or self.owner[2] <= session[2]:
            expected, self.owner = "restored", session
        else:
            expected = "superseded"
        assert self.call(REFRESH, *session, TTL_MS) == expected

    @rule(session=consumes(sessions))
    def clean_up_at_last(self, session: Session) -> None:
        self.unregister(session)

    @rule(target=sessions, session=consumes(sessions))
    def clean_up_and_refresh_once_more(self, session: Session) -> Session:
        self.unregister(session)
        self.refresh(session)
        return multiple(session)

    def owns(self, session: Session) -> bool:
        return self.owner is not None and self.owner[1] == session[1]

    def unregister(self, session: Session) -> None:
        expected = int(self.owns(session))
        if expected:
            self.owner = None
        assert self.call(UNREGISTER, session[1]) == expected

    @rule()
    def expire(self) -> None:
        self.server.delete(self.key)
        self.owner = None

    @rule()
    def clock_jumps_ahead(self) -> None:
        if self.owner is not None:
            gateway, conn, epoch = self.owner
            self.owner = (gateway, conn, epoch + 3_600_000_000)
            self.server.hset(self.key, "timestamp", self.owner[2])

    @invariant()
    def the_record_is_the_models(self) -> None:
        if not hasattr(self, "owner"):
            return
        record = self.server.hmget(self.key, "gatewayId", "connId", "timestamp")
        shown = [None] * 3 if self.owner is None else [*self.owner[:2], str(self.owner[2])]
        assert record == shown
        if self.owner is not None:
            assert 0 < self.server.pttl(self.key) <= TTL_MS
