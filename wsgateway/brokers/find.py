"""Finding the Redis a gateway will use, and saying in one line why one cannot be used."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
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
from wsgateway.redis.url import Kind, RedisUrl, parse

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
    """Return the name and version of what is at `url`, as it gives them itself.

    Args:
        url: of one server, a cluster or Sentinels, see `wsgateway.redis.url.parse`.
        timeout_s: bound on connecting, and on each reply, seconds.

    Raises:
        RedisUnavailable: it cannot be used; one line says why.
    """
    where = without_password(url)
    try:
        read = parse(url)
    except ValueError as error:
        raise RedisUnavailable(f"Redis URL {where}: {error}") from None
    if read.kind is Kind.ONE:
        name, is_node = await _identify_one(url, timeout_s)
        if is_node:
            raise RedisUnavailable(f"Redis at {where} is a node of a cluster: use redis+cluster://")
        return name
    if read.kind is Kind.SENTINEL:
        host, port = await _master(read, timeout_s)
        name, _ = await _identify_one(read.at(host, port), timeout_s)
        return f"{name}, master of {read.service}"
    return await _identify_cluster(read, timeout_s)


async def _identify_cluster(url: RedisUrl, timeout_s: float) -> str:
    """Ask the nodes that `url` names, one after the other, until one answers."""
    trouble = RedisUnavailable("")
    for host, port in url.hosts:
        try:
            name, is_node = await _identify_one(url.at(host, port), timeout_s)
        except RedisUnavailable as error:
            trouble = error
            continue
        if not is_node:
            raise RedisUnavailable(f"Redis at {host}:{port} is no node of a cluster: use redis://")
        return f"{name} cluster"
    raise trouble


async def _master(url: RedisUrl, timeout_s: float) -> tuple[str, int]:
    """Ask the Sentinels who is master."""
    options = {**_bounds(timeout_s), "ssl": url.scheme == "rediss"}
    asked: Any = Sentinel
    sentinel: Any = asked(list(url.hosts), sentinel_kwargs=options)
    try:
        host, port = await sentinel.discover_master(url.service)
    except (RedisError, OSError) as error:
        raise RedisUnavailable(f"no Sentinel names a master of {url.service}: {error}") from None
    finally:
        for client in sentinel.sentinels:
            await client.aclose()
    return str(host), int(port)


def _bounds(timeout_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }


async def _identify_one(url: str, timeout_s: float) -> tuple[str, bool]:
    """Return the name of one server, and whether it is a node of a cluster."""
    where = without_password(url)
    try:
        client = Redis.from_url(url, **_bounds(timeout_s))
    except ValueError as error:
        raise RedisUnavailable(f"Redis URL {where}: {error}") from None
    has_password = client.connection_pool.connection_kwargs.get("password") is not None
    try:
        async with client:
            info: Any = await client.info("server")
    except NoPermissionError:
        return "Redis (this user may not ask its version)", False
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
    mode = info.get("redis_mode", info.get("server_mode"))  # the latter is what Valkey calls it
    return server_name(info), mode == "cluster"


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
