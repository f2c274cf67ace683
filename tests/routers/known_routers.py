"""Every router the contract is held against: adding one means adding one entry."""

from collections.abc import Callable

from wsgateway.config import Config
from wsgateway.presence.base import Claims
from wsgateway.routers import make_router
from wsgateway.routers.base import Router
from wsgateway.routers.redis import RedisRouter

MakeRouter = Callable[[str, str, str, Claims], Router]


def redis_router(url: str, gateway_id: str, prefix: str, **options: float) -> RedisRouter:
    return RedisRouter(
        url,
        gateway_id,
        key_prefix=prefix,
        canary_s=options.get("canary_s", 5),
        timeout_s=options.get("timeout_s", 2),
    )


def on_redis(url: str, gateway_id: str, prefix: str, _: Claims) -> Router:
    return redis_router(url, gateway_id, prefix)


def on_tansu(address: str, gateway_id: str, prefix: str, claims: Claims) -> Router:
    return on_kafka(address, gateway_id, prefix, claims, fetch_wait_s=0.005)


def on_kafka(
    address: str, gateway_id: str, prefix: str, claims: Claims, *, fetch_wait_s: float = 0.5
) -> Router:
    config = Config(
        gateway_id=gateway_id,
        router="kafka",
        kafka=address,
        key_prefix=prefix,
        kafka_fetch_wait_s=fetch_wait_s,
    )
    return make_router(config, claims)


# The fixture of the server it runs on, and how to make one there.
ROUTERS: dict[str, tuple[str, MakeRouter]] = {
    "redis": ("redis_server", on_redis),
    "redis cluster": ("redis_cluster", on_redis),
    "redis behind a Sentinel": ("redis_with_sentinel", on_redis),
    "kafka on Tansu": ("tansu_server", on_tansu),
    "kafka on Apache Kafka": ("apache_server", on_kafka),
}
