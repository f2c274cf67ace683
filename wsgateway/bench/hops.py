"""`python -m wsgateway.bench.hops redis|kafka ADDRESS JOB`: one bare hop over a broker.

A publisher and a subscriber in one process, at the same rate and size as the run they are
compared with, and nothing else: no gateway, no WebSocket, no presence.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from wsgateway.bench.cluster import Cluster
from wsgateway.bench.plan import arrivals
from wsgateway.bench.run import Progress
from wsgateway.bench.shape import BenchError, Shape
from wsgateway.brokers import Child, find_kafka

_CHANNEL = "bench-hop"
_REST_S = 0.5
_SLACK_S = 20.0


@dataclass(frozen=True, slots=True)
class Hop:
    """A bare hop.

    Args:
        broker: name and version of the broker.
        latencies_ms: one-way, sorted.
    """

    broker: str
    latencies_ms: list[float]


async def hop(cluster: Cluster, shape: Shape, *, progress: Progress | None = None) -> Hop:
    """Measure a bare hop over the brokers of `cluster`, whose gateways are idle meanwhile.

    Raises:
        BenchError: the process that measures did not end well.
    """
    kind, address, server = "redis", cluster.redis.url, cluster.redis.name
    if cluster.kafka is not None:
        kind, address, server = "kafka", cluster.kafka.address, cluster.kafka.name
    job = [shape.rate_per_s, shape.size_bytes, shape.warmup_s, shape.duration_s, shape.seed]
    command = [sys.executable, "-m", "wsgateway.bench.hops", kind, address, json.dumps(job)]
    if progress is not None:
        progress(0.0, f"through {server}")
    with tempfile.TemporaryDirectory(prefix="wsgateway-bench-") as directory:
        log = Path(directory) / "hop.log"
        with await asyncio.to_thread(Child, command, log=log) as child:
            try:
                async with asyncio.timeout(shape.warmup_s + shape.duration_s + _SLACK_S):
                    said = await asyncio.to_thread(child.output.read)
            except BaseException:
                child.close()  # ends the read in its thread too
                raise
        if not said:
            last = log.read_text("utf-8", "replace").strip().splitlines()
            raise BenchError(f"the bare hop over {server} ended: {last[-1] if last else '?'}")
    return Hop(server, sorted(json.loads(said)))


class _Bare:
    """Sends at random moments, and times what comes back.

    Args:
        publish: sends a payload.
        rate_per_s, size_bytes, warmup_s, duration_s, seed: see `Shape`.
    """

    def __init__(
        self,
        publish: Callable[[bytes], Awaitable[Any]],
        rate_per_s: float,
        size_bytes: int,
        warmup_s: float,
        duration_s: float,
        seed: int,
    ) -> None:
        self.latencies_ms: list[float] = []
        self._publish = publish
        self._size = size_bytes
        self._from_ns = time.monotonic_ns() + int(warmup_s * 1e9)
        self._until_ns = self._from_ns + int(duration_s * 1e9)
        self._coming = arrivals(rate_per_s, 1, seed)
        self._start_ns = time.monotonic_ns()

    def heard(self, payload: bytes) -> None:
        sent_ns = int(payload.split(b" ", 1)[0])
        if sent_ns >= self._from_ns:
            self.latencies_ms.append((time.monotonic_ns() - sent_ns) / 1e6)

    async def send_all(self) -> None:
        async with asyncio.TaskGroup() as sending:
            for after_ns, _ in self._coming:
                at_ns = self._start_ns + after_ns
                if at_ns >= self._until_ns:
                    break
                await asyncio.sleep(max(at_ns - time.monotonic_ns(), 0) / 1e9)
                payload = f"{time.monotonic_ns()} ".ljust(self._size, "x").encode()
                sending.create_task(_wait(self._publish(payload)))
        await asyncio.sleep(_REST_S)


async def _wait(publishing: Awaitable[Any]) -> None:
    await publishing


async def _redis(url: str, job: list[Any]) -> list[float]:
    client = Redis.from_url(url)
    async with client, client.pubsub() as subscribed:
        await subscribed.subscribe(_CHANNEL)
        bare = _Bare(lambda payload: client.publish(_CHANNEL, payload), *job)

        async def listen() -> None:
            async for told in subscribed.listen():
                if told["type"] == "message":
                    bare.heard(told["data"])

        await _together(listen(), bare)
        return bare.latencies_ms


async def _kafka(address: str, job: list[Any]) -> list[float]:
    fetch_wait_ms = int((await find_kafka(address)).fetch_wait_s * 1000)
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    if _CHANNEL not in await admin.list_topics():
        await admin.create_topics([NewTopic(_CHANNEL, 1, 1)])
    await admin.close()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, fetch_max_wait_ms=fetch_wait_ms, auto_offset_reset="earliest"
    )
    consumer.assign([TopicPartition(_CHANNEL, 0)])
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer, consumer:
        await consumer.seek_to_end()

        async def listen() -> None:
            async for record in consumer:
                bare.heard(record.value)

        bare = _Bare(lambda payload: producer.send_and_wait(_CHANNEL, payload), *job)
        await _together(listen(), bare)
        return bare.latencies_ms


async def _together(listening: Any, bare: _Bare) -> None:
    task = asyncio.ensure_future(listening)
    try:
        await bare.send_all()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    kind, address, job = sys.argv[1:]
    measure = _redis if kind == "redis" else _kafka
    print(json.dumps(uvloop.run(measure(address, json.loads(job)))))
