"""Finding the Redis a gateway will use, and saying in one line why one cannot be used."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from wsgateway.brokers.redis import RedisServer, server_name
from wsgateway.brokers.server import PortTaken
from wsgateway.command import reason
from wsgateway.errors import RedisUnavailable

STANDARD_PORT = 6379
_TIMEOUT_S = 2.0


@dataclass
class FoundRedis:
    """The Redis a gateway will use, and where it comes from.

    Args:
        url: its URL.
        how: "given" (by flag or environment), "found" (on localhost) or "embedded".
        name: the real server and its version.
        server: the embedded server; None otherwise.
    """

    url: str
    how: str
    name: str
    server: RedisServer | None = None

    @property
    def safe_url(self) -> str:
        """The URL without its password, fit to print."""
        return without_password(self.url)

    async def aclose(self) -> None:
        """Stop the embedded server, if there is one."""
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)


async def find_redis(given: str | None, *, local_port: int = STANDARD_PORT) -> FoundRedis:
    """Find the Redis to use: the given one, else what answers on localhost, else an embedded one.

    Args:
        given: a Redis URL; then there is no fallback.
        local_port: where to look, and where to start the embedded one for others to find.

    Raises:
        RedisUnavailable: the given one, or what listens on localhost, cannot be used.
        BrokerError: an embedded one cannot be started.
    """
    if given is not None:
        return FoundRedis(given, "given", await identify(given))
    if not await listens(local_port):
        server = RedisServer(local_port)
        try:
            await asyncio.to_thread(server.start)
            return FoundRedis(server.url, "embedded", server.name, server)
        except PortTaken:
            # Why: of gateways started together one wins the port; the others find its server.
            # 原因：同时启动的几个网关里只有一个抢到端口，其余的会找到它启动的服务器。
            pass
    local = f"redis://127.0.0.1:{local_port}"
    return FoundRedis(local, "found", await identify(local))


async def identify(url: str, timeout_s: float = _TIMEOUT_S) -> str:
    """Return the name and version of the server at `url`, as it gives them itself.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_s: bound on connecting, and on each reply, seconds.

    Raises:
        RedisUnavailable: it cannot be used; one line says why.
    """
    where = without_password(url)
    try:
        client = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise RedisUnavailable(f"Redis URL {where}: {error}") from None
    has_password = client.connection_pool.connection_kwargs.get("password") is not None
    try:
        async with client:
            info: Any = await client.info("server")
    except NoPermissionError:
        return "Redis (this user may not ask its version)"
    except AuthenticationError:
        trouble = "refuses this password" if has_password else "needs a password"
        raise RedisUnavailable(f"Redis at {where} {trouble}") from None
    except (InvalidResponse, ResponseError) as error:
        raise RedisUnavailable(f"what answers at {where} is no Redis: {error}") from None
    except RedisTimeoutError:
        raise RedisUnavailable(f"Redis at {where} does not answer in {timeout_s:g} s") from None
    except (RedisError, OSError) as error:
        raise RedisUnavailable(f"Redis at {where} does not answer: {reason(error)}") from None
    if not isinstance(info, Mapping) or "redis_version" not in info:
        raise RedisUnavailable(f"what answers at {where} is no Redis: it does not say its version")
    return server_name(info)


def without_password(url: str) -> str:
    """Return `url` fit to print: `***` for a password, and without its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    if parts.password is not None:
        host = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username or ''}:***@{host}")
        url = urlunsplit(parts)
    return url.partition("?")[0]  # a query may hold a password too


async def listens(port: int) -> bool:
    """Whether something listens on `port` of this machine."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
