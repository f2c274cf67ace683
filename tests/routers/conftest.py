"""Routers on the shared broker, stopped when the test ends."""

import re
from collections.abc import AsyncIterator, Callable

import pytest
from known_routers import ROUTERS

from wsgateway.brokers import RedisServer
from wsgateway.presence.claims import RedisClaims
from wsgateway.routers.base import Router

MakeRouter = Callable[..., Router]


@pytest.fixture(params=ROUTERS)
async def make_router(
    request: pytest.FixtureRequest, redis_server: RedisServer, key_prefix: str
) -> AsyncIterator[MakeRouter]:
    """Makes routers on one broker and stops them in the end; `dead=True` for a broker that is."""
    fixture, make_one = ROUTERS[request.param]
    server = request.getfixturevalue(fixture)
    address = server.url if hasattr(server, "url") else server.address
    dead_address = re.sub(r":\d+", ":1", address)
    routers: list[Router] = []
    all_claims: list[RedisClaims] = []

    def make(gateway_id: str, *, dead: bool = False) -> Router:
        claims = RedisClaims(
            redis_server.url, gateway_id, ttl_s=3, key_prefix=key_prefix, timeout_s=2
        )
        claims.start()
        all_claims.append(claims)
        where = dead_address if dead else address
        routers.append(make_one(where, gateway_id, key_prefix, claims))
        return routers[-1]

    yield make
    for router in routers:
        await router.stop()
    for claims in all_claims:
        await claims.aclose()
