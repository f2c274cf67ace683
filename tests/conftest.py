"""Fixtures shared by all tests: private, real servers, and a key prefix per test."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis as SyncRedis
from redis.cluster import RedisCluster as SyncCluster

from wsgateway.brokers import (
    ApacheKafka,
    RedisCluster,
    RedisServer,
    RedisWithSentinel,
    TansuServer,
)
from wsgateway.brokers.apache_jars import installation
from wsgateway.errors import BrokerError
from wsgateway.redis.url import Kind, parse

# No deadlines: on a busy machine any example may be slow, and slow is not wrong.
settings.register_profile(
    "tests", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# Why: a thousand processes start here, and each would compile the package anew.
# 原因：测试会启动上千个进程，不保存字节码的话，每个进程都要把整个包重新编译一遍。
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run side by side with `--numprocesses auto`."""
    # Why: two per core, for most tests wait for a broker or a timer; and no more than six, or the
    # ones that do work starve each other.
    # 原因：每个核两个，因为多数测试在等消息代理或定时器；最多六个，否则真正干活的测试会互相挨饿。
    return min(2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4, 6)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first: what begins last keeps one worker busy after all others."""
    items.sort(key=lambda item: not item.path.name.endswith(("test_checkpoints.py", ".ipynb")))


def client_of(url: str) -> SyncRedis:
    """Return redis-py's own client of one server or of a cluster."""
    read = parse(url)
    if read.kind is Kind.ONE:
        return SyncRedis.from_url(url, decode_responses=True)
    client: Any = SyncCluster.from_url(read.at(*read.hosts[0]), decode_responses=True)
    return cast(SyncRedis, client)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for the whole run; a machine that has none fails, it does not skip."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three masters for the whole run: slots may move, but do not stop a node."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_with_sentinel() -> Iterator[RedisWithSentinel]:
    """A master that a Sentinel watches, for the whole run: do not make it fail."""
    with RedisWithSentinel() as redis:
        yield redis


@pytest.fixture(params=["one server", "cluster"])
def redis_url(request: pytest.FixtureRequest) -> str:
    """The URL of each kind of Redis in turn: for what must not depend on the kind."""
    name = {"one server": "redis_server", "cluster": "redis_cluster"}[request.param]
    url: str = request.getfixturevalue(name).url
    return url


@pytest.fixture
def redis(redis_url: str) -> Iterator[SyncRedis]:
    """A client of that Redis, for a look behind the scenes."""
    with client_of(redis_url) as client:
        yield client


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


@pytest.fixture(scope="session")
def tls_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that vouches for itself, as a file for clients to trust."""
    place = tmp_path_factory.mktemp("tls")
    key, certificate = place / "key.pem", place / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), names, *files], check=True, capture_output=True)
    (place / "both.pem").write_text(key.read_text() + certificate.read_text())
    return certificate


@pytest.fixture(scope="session")
def tls_apache(apache_installed: None, tls_certificate: Path) -> Iterator[ApacheKafka]:
    """An Apache Kafka that speaks TLS only; clients trust `tls_certificate`."""
    options = {
        "listener.security.protocol.map": "CLIENTS:SSL,CONTROLLER:PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(tls_certificate.with_name("both.pem")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(tls_certificate),
    }
    with ApacheKafka(options=options) as server:
        yield server


@pytest.fixture(scope="session")
def sasl_apache(apache_installed: None) -> Iterator[ApacheKafka]:
    """An Apache Kafka that wants a login: SASL_PLAINTEXT, PLAIN, `user` and `s3cret`."""
    with ApacheKafka(sasl=("user", "s3cret")) as server:
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
