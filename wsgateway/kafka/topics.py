"""Names of topics and the way from a key to its partition. Pure."""

import re
from functools import lru_cache

from wsgateway.protocol import is_id

# Why: three, so that one busy partition is a third of the traffic and order still holds per user.
# Changing it moves users between partitions, and what is under way then loses its order.
# 原因：取三个分区，一个分区繁忙只影响三分之一的流量，而每个用户的顺序仍然不变。
# 改这个数会让用户换分区，正在途中的消息就不再有序。
PARTITIONS = 3
_GATEWAY = "gateway-"
_BROADCAST = "gateway-broadcast"
_DEAD_LETTERS = "gateway-dead-letters"
# Gateway ids whose topic would be one of ours.
RESERVED_IDS = tuple(name.removeprefix(_GATEWAY) for name in (_BROADCAST, _DEAD_LETTERS))


class Topics:
    """The topics and the consumer group of one cluster.

    Args:
        key_prefix: put before every name; what Kafka does not allow in one becomes a dot.
    """

    def __init__(self, key_prefix: str = "") -> None:
        self._prefix = re.sub(r"[^A-Za-z0-9._-]", ".", key_prefix)
        self.broadcast = self._prefix + _BROADCAST
        self.dead_letters = self._prefix + _DEAD_LETTERS
        self.group = f"{self._prefix}websocket-gateway"

    def of(self, gateway_id: str) -> str:
        """Return the topic of a gateway."""
        return f"{self._prefix}{_GATEWAY}{gateway_id}"

    def gateway_of(self, topic: str) -> str | None:
        """Return whose topic it is; None for any other topic."""
        start = self._prefix + _GATEWAY
        if not topic.startswith(start) or topic in (self.broadcast, self.dead_letters):
            return None
        gateway_id = topic.removeprefix(start)
        # Why: somebody else's `gateway-billing.v2` must not be adopted as a gateway's mail.
        # 原因：别人的 `gateway-billing.v2` 不能被当成某个网关的主题来接管。
        return gateway_id if is_id(gateway_id) else None


@lru_cache(maxsize=16_384)
def partition_of(key: bytes, count: int) -> int:
    """Return the partition of `key` among `count`, as every Java client computes it.

    MurmurHash2 by Austin Appleby, with the seed of `org.apache.kafka.common.utils.Utils`.
    """
    return (_murmur2(key) & 0x7FFFFFFF) % count


def _murmur2(data: bytes) -> int:
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    value = 0x9747B28C ^ length
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(data[start : start + 4], "little") * factor & mask
        value = value * factor & mask ^ ((word ^ word >> 24) * factor & mask)
    tail = data[length - length % 4 :]
    if tail:
        value = (value ^ int.from_bytes(tail, "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return value ^ value >> 15
