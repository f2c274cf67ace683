"""Fixtures shared by all tests: one private, real server, and a key prefix per test."""

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from wsgateway.brokers import RedisServer

# No deadlines: on a busy machine any example may be slow, and slow is not wrong.
settings.register_profile(
    "tests", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for the whole run; a machine that has none fails, it does not skip."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def key_prefix() -> str:
    """Keeps the keys and channels of tests apart on the shared server."""
    return f"test-{secrets.token_hex(4)}:"
