"""Every router the contract is held against: adding one means adding one entry."""

from collections.abc import Callable

from wsgateway.routers.base import Router
from wsgateway.routers.redis import RedisRouter


def redis_router(url: str, gateway_id: str, prefix: str, **options: float) -> RedisRouter:
    return RedisRouter(
        url,
        gateway_id,
        key_prefix=prefix,
        canary_s=options.get("canary_s", 5),
        timeout_s=options.get("timeout_s", 2),
    )


ROUTERS: dict[str, Callable[[str, str, str], Router]] = {"redis": redis_router}
