"""Real broker servers as child processes; `python -m wsgateway.brokers up|status|down`."""

from wsgateway.brokers.apache import ApacheKafka
from wsgateway.brokers.child import Child
from wsgateway.brokers.find import FoundRedis, find_redis, identify
from wsgateway.brokers.find_kafka import FoundKafka, find_kafka, identify_kafka
from wsgateway.brokers.redis import RedisServer
from wsgateway.brokers.redis_cluster import RedisCluster
from wsgateway.brokers.redis_sentinel import RedisWithSentinel
from wsgateway.brokers.server import free_port
from wsgateway.brokers.tansu import TansuServer

__all__ = [
    "ApacheKafka",
    "Child",
    "FoundKafka",
    "FoundRedis",
    "RedisCluster",
    "RedisServer",
    "RedisWithSentinel",
    "TansuServer",
    "find_kafka",
    "find_redis",
    "free_port",
    "identify",
    "identify_kafka",
]
