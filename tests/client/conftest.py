from collections.abc import AsyncIterator

import pytest
from scripted_gateway import Scripted


@pytest.fixture
async def gateway() -> AsyncIterator[Scripted]:
    async with Scripted() as gateway:
        yield gateway
