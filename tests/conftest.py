"""Fixtures shared by all tests: one private, real server, and a key prefix per test."""

import secrets
from collections.abc import Iterator

import pytest

from wsgateway.brokers import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for the whole run; a machine that has none fails, it does not skip."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def key_prefix() -> str:
    """Keeps the keys and channels of tests apart on the shared server."""
    return f"test-{secrets.token_hex(4)}:"
