"""Real broker servers as child processes; `python -m wsgateway.brokers up|status|down`."""

from wsgateway.brokers.child import Child
from wsgateway.brokers.find import FoundRedis, find_redis, identify
from wsgateway.brokers.redis import RedisServer

__all__ = ["Child", "FoundRedis", "RedisServer", "find_redis", "identify"]
