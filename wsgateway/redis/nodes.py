"""Which server holds a key: what every answer to that offers, and the simple ones."""

from collections.abc import Callable
from typing import Any, Protocol

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from wsgateway.errors import RedisUnavailable
from wsgateway.redis.link import Link
from wsgateway.redis.url import Kind, RedisUrl
from wsgateway.redis.wire import Wire

# redis-py does not say what they take.
_sentinel: Any = Sentinel
_sentinel_pool: Any = SentinelConnectionPool


class Nodes(Protocol):
    """The servers behind one URL.

    `sharded` says that channels have owners like keys: SPUBLISH and SSUBSCRIBE. A replica takes
    both, too, but it counts only its own subscribers; unlike them, EXISTS is refused there.
    """

    sharded: bool

    async def ready(self) -> None:
        """Learn who holds what, if that is not known yet.

        Raises:
            RedisUnavailable: nobody answers.
        """

    def link_of(self, key: str) -> Link:
        """Return the link to the server that holds `key`, as far as is known."""

    def links(self) -> list[Link]:
        """Return the links to all masters that are known; all keys are on one of them."""

    def redirected(self, why: str) -> Link | None:
        """Take in a refusal; return where to go instead if it says that nothing was executed."""

    def suspect(self) -> None:
        """Learn again who holds what, in the background: somebody did not answer."""

    async def dial(
        self,
        key: str,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[RedisUnavailable], None],
    ) -> Wire:
        """Return a connection of its own to the server that holds `key`.

        Raises:
            RedisUnavailable: it does not answer.
        """

    async def aclose(self) -> None:
        """Close all links. Safe to call twice."""


def pool_of(url: str, timeout_s: float) -> ConnectionPool:
    """Return what makes connections to the one server at `url`, without retries."""
    # Why: redis-py repeats a failed command ten times by default. A repeated PUBLISH is a
    # duplicate and a repeated register displaces its own user, so retrying is our decision.
    # 原因：redis-py 默认把失败的命令重试十次。重复的 PUBLISH 就是重复消息，
    # 重复的 register 会顶掉自己，所以是否重试由我们决定。
    return ConnectionPool.from_url(url, **_bounds(timeout_s))


def _bounds(timeout_s: float) -> dict[str, Any]:
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "protocol": 2,  # one kind of reply for a published message, on every server
    }


def _master_pool(url: RedisUrl, timeout_s: float) -> tuple[ConnectionPool, list[Redis]]:
    """Return what makes connections to the master that the Sentinels name at that moment.

    And clients of the Sentinels, to be closed in the end.
    """
    # Why: they are asked at each dial and not in between. They cut the old master's connections
    # when they appoint a new one, so every link dials again and finds it.
    # 原因：只在拨号时问哨兵。哨兵任命新主节点时会切断旧主节点的连接，
    # 于是每条链路都会重拨，自然就找到新主节点。
    one = pool_of(url.at("sentinel", 1), timeout_s).connection_kwargs
    own = {name: value for name, value in one.items() if name not in ("host", "port")}
    # each may be silent, and there must be time left for the next one and for the master
    asking = {**_bounds(timeout_s / (len(url.hosts) + 1)), "ssl": url.scheme == "rediss"}
    sentinel = _sentinel(list(url.hosts), sentinel_kwargs=asking)
    pool: ConnectionPool = _sentinel_pool(url.service, sentinel, ssl=url.scheme == "rediss", **own)
    return pool, sentinel.sentinels


class One:
    """Implements `Nodes`: one server, the given one or the master of a Sentinel's service."""

    sharded = False

    def __init__(self, url: RedisUrl, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._sentinels: list[Redis] = []
        if url.kind is Kind.SENTINEL:
            self._pool, self._sentinels = _master_pool(url, timeout_s)
        else:
            self._pool = pool_of(url.text, timeout_s)
        self._link = Link(self._pool, timeout_s)

    async def ready(self) -> None:
        """See `Nodes.ready`: nothing to learn."""

    def link_of(self, key: str) -> Link:
        """See `Nodes.link_of`."""
        return self._link

    def links(self) -> list[Link]:
        """See `Nodes.links`."""
        return [self._link]

    def redirected(self, why: str) -> Link | None:
        """See `Nodes.redirected`: nobody sends us elsewhere."""
        if why.startswith("READONLY"):
            self._link.cut("it is a replica now")  # what is called next asks who the master is
        return None

    def suspect(self) -> None:
        """See `Nodes.suspect`: a dial tells."""

    async def dial(
        self,
        key: str,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[RedisUnavailable], None],
    ) -> Wire:
        """See `Nodes.dial`."""
        return await Wire.dial(self._pool, on_reply, on_lost, self._timeout_s)

    async def aclose(self) -> None:
        """See `Nodes.aclose`."""
        await self._link.aclose()
        for sentinel in self._sentinels:
            await sentinel.aclose()
