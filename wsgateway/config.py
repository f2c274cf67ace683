"""All settings of one gateway: frozen, validated, each also from `WSGATEWAY_*`."""

import math
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from wsgateway.errors import ConfigError
from wsgateway.protocol import is_id
from wsgateway.redis.url import parse

# One file in `routers/` is one router: adding one changes nothing here.
ROUTERS = tuple(
    sorted(
        {path.stem for path in Path(__file__).with_name("routers").glob("[a-z]*.py")} - {"base"},
        reverse=True,  # the default first
    )
)
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
KAFKA_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
KAFKA_SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

# A host may be an IPv6 address in brackets.
_BROKER = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}"
_BROKERS = re.compile(rf"{_BROKER}(,{_BROKER})*")

_SCALED = ("ping_s", "heartbeat_timeout_s", "sweep_s", "presence_ttl_s", "canary_s")
_LIMITS_ARE_POSITIVE = (
    "register_timeout_s",
    "drain_s",
    "lease_ttl_s",
    "redis_timeout_s",
    "close_timeout_s",
    "route_cache_s",
    "dedup_s",
    "stall_s",
    "dedup_ids",
    "outbox_bytes",
    "window",
    "message_expiry_s",
    "kafka_timeout_s",
    "kafka_fetch_wait_s",
)
# Why: Redis counts a ttl in whole milliseconds, and a ttl of 0 deletes the key.
# 原因：Redis 的 TTL 以整毫秒计，TTL 为 0 等于删除该键。
_REDIS_EXPIRES = ("presence_ttl_s", "lease_ttl_s")
_SHORTEST_TTL_S = 0.01


def host_id() -> str:
    """Return this host's name as a gateway id: the default of `--id`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname())[:64].strip("-") or "gateway"


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one gateway.

    Raises:
        ConfigError: a value makes no sense; the text says which and why.
    """

    gateway_id: str = field(
        default_factory=host_id, metadata={"about": "this gateway's id, [A-Za-z0-9_-]{1,64}"}
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on; 0 takes a free one")
    router: str = _setting("redis", f"how envelopes travel: {' or '.join(ROUTERS)}")
    redis: str | None = _setting(
        None,
        "redis://, rediss:// or unix:// URL, redis+cluster://HOST:PORT[,HOST:PORT] or "
        "redis+sentinel://HOST:PORT[,HOST:PORT]/SERVICE; without it: localhost:6379, else embedded",
    )
    kafka: str | None = _setting(
        None, "HOST:PORT[,HOST:PORT]; without it: localhost:9092, else embedded"
    )
    key_prefix: str = _setting("", "put before every Redis key and channel")
    log_level: str = _setting("info", "debug, info, warning or error")
    log_format: str = _setting("text", "text or json")
    ping_s: float = _setting(30.0, "clients ping this often, seconds")
    heartbeat_timeout_s: float = _setting(90.0, "silence after which a client is dead, seconds")
    sweep_s: float = _setting(60.0, "how often dead clients are looked for, seconds")
    presence_ttl_s: float = _setting(90.0, "life of a presence record without a ping, seconds")
    register_timeout_s: float = _setting(10.0, "a socket must register within, seconds")
    drain_s: float = _setting(10.0, "a stopping gateway is gone within, seconds")
    canary_s: float = _setting(5.0, "how often the router tests its own link, seconds")
    lease_ttl_s: float = _setting(3.0, "life of the lease on the gateway id, seconds")
    redis_timeout_s: float = _setting(2.0, "bound on a Redis reply, seconds")
    close_timeout_s: float = _setting(2.0, "bound on flushing and closing one socket, seconds")
    route_cache_s: float = _setting(5.0, "a cached route is asked for again after, seconds")
    dedup_ids: int = _setting(10_000, "message ids remembered against repeats")
    dedup_s: float = _setting(600.0, "how long a message id is remembered, seconds")
    outbox_bytes: int = _setting(1 << 20, "bytes queued for a slow reader before it is closed")
    stall_s: float = _setting(10.0, "a write blocked this long closes a slow reader, seconds")
    window: int = _setting(64, "messages of one connection in flight at once")
    message_expiry_s: float = _setting(600.0, "what waited longer in Kafka expires, seconds")
    kafka_timeout_s: float = _setting(5.0, "a write Kafka has not answered is unknown, seconds")
    kafka_fetch_wait_s: float = _setting(0.5, "Kafka may hold an empty fetch so long, seconds")
    kafka_security_protocol: str = _setting("PLAINTEXT", ", ".join(KAFKA_PROTOCOLS))
    kafka_sasl_mechanism: str = _setting("PLAIN", ", ".join(KAFKA_SASL_MECHANISMS))
    kafka_sasl_username: str | None = _setting(None, "user name for SASL")
    kafka_sasl_password: str | None = _setting(None, "password for SASL; better not as a flag")
    kafka_ssl_cafile: str | None = _setting(None, "certificates of trusted authorities, PEM")
    kafka_ssl_certfile: str | None = _setting(None, "our own certificate, PEM")
    kafka_ssl_keyfile: str | None = _setting(None, "its private key, PEM")

    def __post_init__(self) -> None:
        if not is_id(self.gateway_id):
            raise ConfigError(f"gateway id {self.gateway_id!r}: 1 to 64 of A-Z a-z 0-9 _ -")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}: must be 0 to 65535")
        for name, allowed in (
            ("router", ROUTERS),
            ("log_level", LOG_LEVELS),
            ("log_format", LOG_FORMATS),
            ("kafka_security_protocol", KAFKA_PROTOCOLS),
            ("kafka_sasl_mechanism", KAFKA_SASL_MECHANISMS),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} {getattr(self, name)!r}: must be {', '.join(allowed)}")
        for name in (*_SCALED, *_LIMITS_ARE_POSITIVE):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} {getattr(self, name)}: must be above 0 and finite")
        for name in _REDIS_EXPIRES:
            if getattr(self, name) < _SHORTEST_TTL_S:
                raise ConfigError(
                    f"{name} {getattr(self, name)}: must be {_SHORTEST_TTL_S} or more"
                )
        self._check_redis()
        self._check_kafka()
        # Why: one lost ping must not make a live user vanish; below two pings it does.
        # 原因：丢一个 ping 不该让在线用户消失；TTL 低于两个 ping 间隔就会这样。
        for name in ("presence_ttl_s", "heartbeat_timeout_s"):
            if getattr(self, name) < 2 * self.ping_s:
                raise ConfigError(
                    f"{name} {getattr(self, name):g} is below two pings (2 x {self.ping_s:g} s)"
                )

    def _check_redis(self) -> None:
        if self.redis is not None and "+" in self.redis.partition("://")[0]:
            try:
                parse(self.redis)
            except ValueError as error:
                raise ConfigError(f"redis: {error}") from None

    def _check_kafka(self) -> None:
        if self.kafka is not None and not _BROKERS.fullmatch(self.kafka):
            raise ConfigError(f"kafka {self.kafka!r}: must be HOST:PORT[,HOST:PORT]")
        named = self.kafka_sasl_username and self.kafka_sasl_password
        if self.kafka_security_protocol.startswith("SASL") and not named:
            raise ConfigError("kafka_sasl_username and kafka_sasl_password: SASL needs both")

    def scaled(self, factor: float) -> Self:
        """Return a copy with all heartbeat times multiplied: 0.01 makes a ping 0.3 s.

        Raises:
            ConfigError: the factor is not above 0.
        """
        if not 0 < factor < math.inf:
            raise ConfigError(f"time scale {factor}: must be above 0 and finite")
        return replace(self, **{name: getattr(self, name) * factor for name in _SCALED})

    @classmethod
    def from_sources(cls, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """Build the settings: a flag wins over `WSGATEWAY_*`, which wins over the default.

        Args:
            flags: field name -> value; None means not given. `time_scale` scales the heartbeat.
            environ: the environment.

        Raises:
            ConfigError: a value cannot be read or makes no sense.
        """
        values: dict[str, Any] = {}
        for one in fields(cls):
            value = flags.get(one.name)
            if value is None:
                value = environ.get(env_name(one.name)) or None
            if value is not None:
                values[one.name] = _convert(one.name, one.type, value)
        scale = flags.get("time_scale")
        if scale is None:
            scale = environ.get("WSGATEWAY_TIME_SCALE") or 1.0
        return cls(**values).scaled(_convert("time_scale", float, scale))


def env_name(field_name: str) -> str:
    """Return the environment variable of a setting: `WSGATEWAY_PING_S` for `ping_s`."""
    return "WSGATEWAY_ID" if field_name == "gateway_id" else f"WSGATEWAY_{field_name.upper()}"


def _convert(name: str, kind: Any, value: Any) -> Any:
    if kind not in (int, float):
        return value
    try:
        return kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{name} {value!r}: must be {what}") from None
