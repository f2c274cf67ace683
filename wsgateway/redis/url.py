"""Redis URLs: one server, a cluster, or the master that Sentinels watch. Pure."""

import re
from dataclasses import dataclass
from enum import Enum

_SEVERAL = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>cluster|sentinel)://(?:(?P<login>[^/?#]*)@)?"
    r"(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_SERVICE = re.compile(r"/(?P<service>[A-Za-z0-9._-]+)(?P<db>/\d+)?")
SCHEMES = ("redis", "rediss", "unix")


class Kind(Enum):
    """What a URL leads to."""

    ONE = "one server"
    CLUSTER = "a cluster"
    SENTINEL = "the master that Sentinels name"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A Redis URL, read.

    Args:
        kind: what it leads to.
        text: the URL itself, for one server.
        hosts: where to ask first, for the others: (host, port).
        service: the name Sentinels know the master by.
        scheme: `redis`, or `rediss` for TLS.
        login: `user:password` as in the URL, or empty.
        tail: path and query for each single server.
    """

    kind: Kind
    text: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    scheme: str = "redis"
    login: str = ""
    tail: str = ""

    def at(self, host: str, port: int) -> str:
        """Return the URL of one server among them."""
        login = f"{self.login}@" if self.login else ""
        place = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{login}{place}:{port}{self.tail}"


def parse(url: str) -> RedisUrl:
    """Read a Redis URL.

    Args:
        url: `redis://`, `rediss://` or `unix://` for one server;
            `redis+cluster://HOST:PORT[,HOST:PORT]` for a cluster, any of its nodes;
            `redis+sentinel://HOST:PORT[,HOST:PORT]/SERVICE[/DB]` for a master. The last two
            with `rediss+` for TLS, and all with `USER:PASSWORD@` before the hosts.

    Raises:
        ValueError: it is none of these; the text says why, without a password.
    """
    found = _SEVERAL.fullmatch(url)
    if found is None:
        if url.partition("://")[0] in SCHEMES:
            return RedisUrl(Kind.ONE, url)
        raise ValueError(
            "must begin with redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://"
        )
    kind = Kind.CLUSTER if found["kind"] == "cluster" else Kind.SENTINEL
    path, query = found["path"] or "", found["query"] or ""
    service = db = ""
    if kind is Kind.SENTINEL:
        named = _SERVICE.fullmatch(path)
        if named is None:
            raise ValueError("redis+sentinel:// needs the service: HOST:PORT[,HOST:PORT]/SERVICE")
        service, db = named["service"], named["db"] or ""
    elif path not in ("", "/", "/0"):
        raise ValueError("redis+cluster:// has no databases: nothing may follow the hosts")
    standard_port = 6379 if kind is Kind.CLUSTER else 26379
    return RedisUrl(
        kind,
        url,
        tuple(_host(one, standard_port) for one in found["hosts"].split(",")),
        service,
        found["scheme"],
        found["login"] or "",
        db + query,
    )


def _host(text: str, standard_port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no HOST:PORT")
    port = int(found["port"] or standard_port)
    if not 0 < port <= 65535:
        raise ValueError(f"port {port}: must be 1 to 65535")
    return found["host"].strip("[]"), port
