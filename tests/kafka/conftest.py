"""A stage on each broker: one that all tests share, and one of a test's own."""

from collections.abc import AsyncIterator

import pytest
from stage import Kafka, Stage


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
