"""The brokers of a lesson: private ones, unless the learner hands over an address."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer, find_kafka, find_redis
from wsgateway.config import Config, env_name
from wsgateway.kafka.link import KafkaLink
from wsgateway.kafka.settings import kafka_settings, login_settings
from wsgateway.kafka.topics import Topics

_TIMEOUT_S = 10.0
_LOGIN = (
    "kafka_security_protocol",
    "kafka_sasl_mechanism",
    "kafka_sasl_username",
    "kafka_sasl_password",
    "kafka_ssl_cafile",
    "kafka_ssl_certfile",
    "kafka_ssl_keyfile",
)

_redis: RedisServer | None = None
_kafka: TansuServer | ApacheKafka | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A broker for a lesson.

    Args:
        address: its URL, or `HOST:PORT`.
        name: what it really is.
        shared: others may be using it too.
    """

    address: str
    name: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Log(Found):
    """A Kafka for a lesson.

    Args:
        fetch_wait_s: how long it should hold a fetch that finds nothing, seconds.
        login: fields of `Config` that say how to log in.
    """

    fetch_wait_s: float
    login: Mapping[str, str]

    def link(self) -> KafkaLink:
        """Return how it is reached."""
        return KafkaLink(kafka_settings(_config(self.address, self.login)), _TIMEOUT_S)

    async def forget(self, key_prefix: str) -> None:
        """Delete a lesson's topics, if others use this Kafka too; a private one forgets anyway."""
        if not self.shared:
            return
        link = self.link()
        admin = await link.admin()
        try:
            async with link.answered():
                ours = Topics(key_prefix).of("")
                gone = [name for name in await admin.list_topics() if name.startswith(ours)]
                await admin.delete_topics(gone)
        finally:
            await link.close(admin)


async def redis() -> Found:
    """Return the Redis to use: the one `WSGATEWAY_REDIS` names, else a private one."""
    # Why: a lesson kills, floods and empties its Redis. It never touches what runs on the
    # standard port, unless the learner hands it an address on purpose (a class server).
    # 原因：课程会杀掉、灌满、清空 Redis，所以绝不碰标准端口上已有的服务，
    # 除非学习者明确给出地址（例如课堂服务器）。
    global _redis
    given = os.environ.get("WSGATEWAY_REDIS")
    if given:
        found = await find_redis(given)
        return Found(found.url, found.name, shared=True)
    if _redis is None:
        _redis = RedisServer()
        await asyncio.to_thread(_redis.start)
    return Found(_redis.url, _redis.name, shared=False)


async def kafka() -> Log:
    """Return the Kafka to use: the one `WSGATEWAY_KAFKA` names, else a private one.

    The private one is Tansu; with `WSGATEWAY_LESSON_KAFKA=apache`, Apache Kafka on this machine's
    Java.
    """
    global _kafka
    given = os.environ.get("WSGATEWAY_KAFKA")
    address = given
    if not address:
        if _kafka is None:
            apache = os.environ.get("WSGATEWAY_LESSON_KAFKA") == "apache"
            _kafka = ApacheKafka() if apache else TansuServer()
            await asyncio.to_thread(_kafka.start)
        address = _kafka.address
    login = {name: os.environ[env_name(name)] for name in _LOGIN if os.environ.get(env_name(name))}
    found = await find_kafka(address, login_settings(_config(address, login)))
    return Log(found.address, found.name, bool(given), found.fetch_wait_s, login)


def _config(address: str, login: Mapping[str, str]) -> Config:
    return Config(gateway_id="lab", kafka=address, **dict[str, Any](login))


def stop() -> None:
    """Stop the private ones."""
    global _redis, _kafka
    for server in (_redis, _kafka):
        if server is not None:
            server.stop()
    _redis = _kafka = None
