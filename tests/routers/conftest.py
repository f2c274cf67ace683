"""Routers on the shared broker, stopped when the test ends."""

from collections.abc import AsyncIterator, Callable

import pytest
from known_routers import ROUTERS

from wsgateway.brokers import RedisServer
from wsgateway.routers.base import Router

DEAD = "redis://127.0.0.1:1"

MakeRouter = Callable[..., Router]


@pytest.fixture(params=ROUTERS)
async def make_router(
    request: pytest.FixtureRequest, redis_server: RedisServer, key_prefix: str
) -> AsyncIterator[MakeRouter]:
    """Makes routers on one broker and stops them in the end; `dead=True` for a broker that is."""
    made: list[Router] = []

    def make(gateway_id: str, *, dead: bool = False) -> Router:
        url = DEAD if dead else redis_server.url
        made.append(ROUTERS[request.param](url, gateway_id, key_prefix))
        return made[-1]

    yield make
    for router in made:
        await router.stop()
