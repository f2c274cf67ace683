"""Fixtures shared by all tests: private, real servers, and a key prefix per test."""

import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer
from wsgateway.brokers.apache_jars import installation
from wsgateway.errors import BrokerError

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


@pytest.fixture(scope="session")
def tansu_server() -> Iterator[TansuServer]:
    """A Kafka-compatible broker for the whole run; a machine that has none fails."""
    with TansuServer() as server:
        yield server


@pytest.fixture(scope="session")
def apache_installed() -> None:
    """Skips what needs Apache Kafka on a machine that cannot have it; in CI that is a failure."""
    try:
        installation()
    except BrokerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Apache Kafka on this machine: {error}")


@pytest.fixture(scope="session")
def apache_server(apache_installed: None) -> Iterator[ApacheKafka]:
    """An Apache Kafka for the whole run, started when the first test wants it."""
    with ApacheKafka() as server:
        yield server


@pytest.fixture(scope="session", params=["tansu", "apache"])
def kafka_server(request: pytest.FixtureRequest) -> TansuServer | ApacheKafka:
    """Each of the two in turn, for the whole run: do not stop or pause it."""
    server: TansuServer | ApacheKafka = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture(params=["tansu", "apache"])
def own_kafka(request: pytest.FixtureRequest) -> Iterator[TansuServer | ApacheKafka]:
    """Each of the two in turn, for one test that may kill or pause it."""
    if request.param == "apache":
        request.getfixturevalue("apache_installed")
    with TansuServer() if request.param == "tansu" else ApacheKafka() as server:
        yield server


@pytest.fixture
def key_prefix() -> str:
    """Keeps the keys and channels of tests apart on the shared server."""
    return f"test-{secrets.token_hex(4)}:"
