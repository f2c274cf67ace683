"""Real broker servers as child processes; `python -m wsgateway.brokers up|status|down`."""

from wsgateway.brokers.child import Child
from wsgateway.brokers.redis import FoundRedis, RedisServer, find_redis

__all__ = ["Child", "FoundRedis", "RedisServer", "find_redis"]
