"""Gateways for a lesson: in the kernel or as processes, with clients that cells can talk to."""

import asyncio
import atexit
import json
import secrets
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from redis import asyncio as redis_asyncio

from wsgateway.brokers import free_port
from wsgateway.client import Client
from wsgateway.config import Config
from wsgateway.gateway import Gateway
from wsgateway.lab import logbook, servers
from wsgateway.lab.language import say
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.user import User
from wsgateway.process import GatewayProcess

_PATIENCE_S = 10.0

# Why: a laptop set up for a company's proxy would ask the proxy for 127.0.0.1.
# 原因：配了公司代理的笔记本电脑，连 127.0.0.1 都会去问代理。
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_running: dict[str, "Cluster"] = {}


class Cluster:
    """Gateways that share one Redis.

    Args:
        gateway_ids: one gateway each.
        processes: run each as a process of its own, to be killed, paused or measured;
            otherwise they live in the lab's event-loop thread of this kernel.
        name: tells several clusters of a kernel apart; keys begin with it.
        time_scale: multiplies all heartbeat times.
        router: "redis" or "kafka".

    `broker` names what carries the envelopes, `redis_broker` what holds presence; `log` is the
    Kafka, if there is one.
    """

    def __init__(
        self,
        *gateway_ids: str,
        processes: bool = False,
        name: str = "",
        time_scale: float = 1.0,
        router: str = "redis",
    ) -> None:
        self.name = name
        self.broker = self.redis_broker = ""
        self.gateways: dict[str, Gateway] = {}
        self.processes: dict[str, GatewayProcess] = {}
        self._ids = gateway_ids
        self._as_processes = processes
        self._time_scale = time_scale
        self._router = router
        self.log: servers.Log | None = None
        self._prefix = f"{name}:" if name else ""
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start all gateways; a cluster of the same name from an earlier run is closed first."""
        earlier = _running.pop(self.name, None)
        if earlier is not None:
            earlier.close()
        _running[self.name] = self
        logbook.keep()
        shared_loop().run(self._start(), timeout_s=60.0)
        en, zh = ", ".join(self._ids), "、".join(self._ids)
        if self._as_processes:
            say(f"Ready: {en}, each a process.", f"就绪：{zh}，各是独立进程。")
        else:
            say(f"Ready: {en}, in this kernel.", f"就绪：{zh}，都在本内核里。")

    def close(self) -> None:
        """Close clients, gateways and processes. Closing twice is fine."""
        if _running.get(self.name) is self:
            del _running[self.name]
        shared_loop().run(self._stack.aclose(), timeout_s=60.0)

    @property
    def prefix(self) -> str:
        """What all keys, channels and topics of this cluster begin with."""
        return self._prefix

    def user(self, name: str, *, on: str) -> User:
        """Connect a user to the gateway `on`."""
        return shared_loop().run(self._connect(name, [on]))

    def restart(self, gateway_id: str) -> None:
        """Start a gateway process again after a kill; its users come back by themselves."""
        shared_loop().run(self.processes[gateway_id].start(), timeout_s=60.0)

    def redis(self, command: str, key: str, *arguments: str) -> Any:
        """Run one plain Redis command and return the reply; the lesson's prefix is put in."""
        return shared_loop().run(self.command(command, key, *arguments))

    def script(self, source: str, key: str, *arguments: str | int) -> Any:
        """Run a Lua script on one key and return its reply; the lesson's prefix is put in."""
        return shared_loop().run(self._script(source, key, *arguments))

    def latencies_ms(self, sender: User, receiver: User, count: int) -> list[float]:
        """Send `count` messages, each after the last has arrived; return one-way milliseconds.

        Both clients live in this kernel, so one clock times both ends.
        """
        running = _latencies_ms(sender.client, receiver.client, count)
        return shared_loop().run(running, timeout_s=60.0)

    def waiting(self, user: User) -> int:
        """Return how many messages have reached `user` and were not received yet."""
        return user.client.waiting

    def stats(self, gateway_id: str) -> dict[str, Any]:
        """Return what a gateway's `/stats` page shows now."""
        page = self.url(gateway_id).replace("ws://", "http://").removesuffix("/ws") + "/stats"
        with _direct.open(page, timeout=_PATIENCE_S) as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted

    def url(self, gateway_id: str) -> str:
        """Return a gateway's WebSocket address."""
        running: Gateway | GatewayProcess
        running = (self.processes if self._as_processes else self.gateways)[gateway_id]
        return running.url

    async def broker_info(self) -> Mapping[str, Any]:
        """Return what the Redis says about itself (INFO); call it in the lab's loop."""
        told: Mapping[str, Any] = await self._redis.info("everything")
        return told

    async def _script(self, source: str, key: str, *arguments: str | int) -> Any:
        redis: Any = self._redis
        return await redis.eval(source, 1, self._prefix + key, *arguments)

    async def _start(self) -> None:
        redis = await servers.redis()
        self.broker = self.redis_broker = redis.name
        settings: dict[str, Any] = {"redis": redis.address, "router": self._router}
        shared = redis.shared
        if self._router == "kafka":
            self.log = kafka = await servers.kafka()
            self.broker = kafka.name
            settings |= {"kafka": kafka.address, "kafka_fetch_wait_s": kafka.fetch_wait_s}
            shared = shared or kafka.shared
        if shared:  # others use it too: keep out of their way
            self._prefix = f"lesson-{secrets.token_hex(3)}:{self._prefix}"
        settings["key_prefix"] = self._prefix
        if self.log is not None:
            self._stack.push_async_callback(self.log.forget, self._prefix)
        self._redis = redis_asyncio.Redis.from_url(redis.address, decode_responses=True)
        self._stack.push_async_callback(self._redis.aclose)
        for gateway_id in self._ids:
            await self._start_one(gateway_id, settings)

    async def _start_one(self, gateway_id: str, settings: dict[str, Any]) -> None:
        if self._as_processes:
            # A port of its own, so that its clients find it again when it was restarted.
            flags = ["--time-scale", str(self._time_scale), "--port", str(free_port())]
            for name, value in settings.items():
                flags += [f"--{name.replace('_', '-')}", str(value)]
            process = GatewayProcess(gateway_id, redis=settings["redis"], flags=flags)
            self.processes[gateway_id] = await self._stack.enter_async_context(process)
        else:
            if self.log is not None:
                settings |= self.log.login  # which processes find in the environment
            config = Config(gateway_id=gateway_id, port=0, **settings)
            gateway = Gateway(config.scaled(self._time_scale))
            self.gateways[gateway_id] = await self._stack.enter_async_context(gateway)

    async def _connect(self, name: str, gateway_ids: Sequence[str]) -> User:
        client = Client(name, [self.url(gateway_id) for gateway_id in gateway_ids])
        return User(await self._stack.enter_async_context(client))

    async def command(self, command: str, key: str, *arguments: str) -> Any:
        """See `redis`; call it in the lab's loop."""
        redis: Any = self._redis  # its execute_command has no types
        return await redis.execute_command(command, self._prefix + key, *arguments)


async def _latencies_ms(sender: Client, receiver: Client, count: int) -> list[float]:
    taken_ms = []
    for number in range(count):
        began_us = time.time_ns() // 1000
        sending = asyncio.create_task(sender.send(receiver.user, f"message {number}"))
        message = await anext(receiver)
        await sending
        taken_ms.append((message.received_us - began_us) / 1000)
    return taken_ms


def close() -> None:
    """Close every cluster of this kernel. Closing twice is fine."""
    for cluster in list(_running.values()):
        cluster.close()


def _close_all() -> None:
    """Leave nothing behind when the kernel ends."""
    for cluster in list(_running.values()):
        for process in cluster.processes.values():
            process.close()
        cluster.close()
    servers.stop()
    shared_loop().close()


atexit.register(_close_all)
