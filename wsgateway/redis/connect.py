"""From a Redis URL to the servers behind it."""

from wsgateway.errors import ConfigError
from wsgateway.redis.cluster import Cluster
from wsgateway.redis.nodes import Nodes, One
from wsgateway.redis.url import Kind, parse


def connect(url: str, timeout_s: float) -> Nodes:
    """Return the servers behind `url`; nothing is sent yet.

    Args:
        url: see `parse`.
        timeout_s: bound on dialling and on each reply, seconds.

    Raises:
        ConfigError: no such URL.
    """
    try:
        read = parse(url)
        return Cluster(read, timeout_s) if read.kind is Kind.CLUSTER else One(read, timeout_s)
    except ValueError as error:
        raise ConfigError(f"redis: {error}") from None
