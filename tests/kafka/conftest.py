"""A stage on each broker: one that all tests share, and one of a test's own."""

from collections.abc import AsyncIterator

import pytest
from stage import Kafka, Stage

from wsgateway.brokers import TansuServer


@pytest.fixture
async def stage(kafka_server: Kafka, key_prefix: str) -> AsyncIterator[Stage]:
    """On the shared broker, which stays up."""
    async with Stage(kafka_server, key_prefix) as stage:
        yield stage


@pytest.fixture
async def own_stage(own_kafka: Kafka, key_prefix: str) -> AsyncIterator[Stage]:
    """On a broker that the test may pause or kill; answers are waited for 2 s."""
    async with Stage(own_kafka, key_prefix, timeout_s=2.0) as stage:
        yield stage


@pytest.fixture
async def own_tansu(key_prefix: str) -> AsyncIterator[Stage]:
    """As `own_stage`, where one broker says as much as two."""
    with TansuServer() as kafka:
        async with Stage(kafka, key_prefix, timeout_s=1.0) as stage:
            yield stage
