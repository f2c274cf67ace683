"""Looking into a gateway's topic: what lies there, and how far it has been read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from wsgateway import envelope as wire
from wsgateway.envelope import Carried
from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.bounds import bounds
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.topics import PARTITIONS, Topics
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.user import User
from wsgateway.protocol import Delivery

_TIMEOUT_S = 10.0
_PERIOD_S = 0.05
_decode = msgspec.json.Decoder(Delivery).decode


@dataclass(frozen=True, slots=True)
class Written:
    """A message as it lies in a topic.

    Args:
        partition, offset: where.
        user: the recipient, the record's key.
        content: what the message says.
    """

    partition: int
    offset: int
    user: str
    content: str


@dataclass(frozen=True, slots=True)
class LagPoint:
    """How many records were not committed at one moment; `at_s` counts from the first look."""

    at_s: float
    lag: int
    paused: bool


def written(cluster: Cluster, gateway_id: str) -> list[Written]:
    """Return all messages in a gateway's topic, partition by partition, as they lie there."""
    return shared_loop().run(_written(cluster, gateway_id), timeout_s=2 * _TIMEOUT_S)


def lag(cluster: Cluster, gateway_id: str) -> dict[int, int]:
    """Return how many records of each partition are not committed yet."""
    return shared_loop().run(_lag(cluster, gateway_id), timeout_s=2 * _TIMEOUT_S)


def wait_committed(cluster: Cluster, gateway_id: str) -> None:
    """Wait until a gateway has committed all that lies in its topic.

    Raises:
        TimeoutError: it has not in 20 seconds; a message may be waiting for its user.
    """
    shared_loop().run(_level(cluster, gateway_id), timeout_s=2 * _TIMEOUT_S)


def lag_while_paused(
    cluster: Cluster, gateway_id: str, sender: User, to: str, *, messages: int, pause_s: float
) -> list[LagPoint]:
    """Send messages at a steady pace, pause a gateway process in the middle, and watch its lag.

    Args:
        cluster: gateways as processes, on Kafka.
        gateway_id: the one to pause, where `to` is connected.
        sender: who sends, on another gateway.
        to: the recipient.
        messages: how many, 100 per second.
        pause_s: how long the gateway is paused, seconds.

    Returns:
        The lag, every 50 ms, until all is committed.
    """
    watching = _lag_while_paused(cluster, gateway_id, sender, to, messages, pause_s)
    return shared_loop().run(watching, timeout_s=60.0)


def _link(cluster: Cluster) -> KafkaLink:
    if cluster.log is None:
        raise ValueError("this cluster does not run on Kafka")
    return cluster.log.link()


async def _written(cluster: Cluster, gateway_id: str) -> list[Written]:
    link = _link(cluster)
    partitions = assigned(Topics(cluster.prefix).of(gateway_id), PARTITIONS)
    consumer = await link.started(link.consumer(None, fetch_wait_s=_PERIOD_S))
    found: list[Written] = []
    try:
        async with link.answered():
            begins, ends = await bounds(consumer, partitions)
            for one in partitions:
                consumer.assign([one])
                consumer.seek(one, begins[one])
                while await consumer.position(one) < ends[one]:
                    record = await consumer.getone()
                    envelope = wire.decode(record.value)
                    if isinstance(envelope, Carried):
                        content = _decode(envelope.frame).content
                        found.append(Written(one.partition, record.offset, envelope.to, content))
    finally:
        await link.close(consumer)
    return found


async def _lag(cluster: Cluster, gateway_id: str) -> dict[int, int]:
    topics = Topics(cluster.prefix)
    async with Backlog(_link(cluster), topics.group) as backlog:
        return await _lag_now(backlog, topics.of(gateway_id))


async def _level(cluster: Cluster, gateway_id: str) -> None:
    topics = Topics(cluster.prefix)
    async with Backlog(_link(cluster), topics.group) as backlog:
        while any((await _lag_now(backlog, topics.of(gateway_id))).values()):  # noqa: ASYNC110 - a log calls nobody
            await asyncio.sleep(_PERIOD_S)


async def _lag_now(backlog: Backlog, topic: str) -> dict[int, int]:
    found = await backlog.of(topic, PARTITIONS)
    return {partition: one.lag for partition, one in found.items()}


async def _lag_while_paused(
    cluster: Cluster, gateway_id: str, sender: User, to: str, messages: int, pause_s: float
) -> list[LagPoint]:
    topics = Topics(cluster.prefix)
    process = cluster.processes[gateway_id]
    loop = asyncio.get_running_loop()
    paused = False

    async def send_all() -> None:
        for number in range(messages):
            await asyncio.sleep(began_s + number / 100 - loop.time())
            await sender.client.send(to, f"{number}", timeout_s=30.0)

    async def pause() -> None:
        nonlocal paused
        await asyncio.sleep(messages / 100 / 4)
        process.pause()
        paused = True
        try:
            await asyncio.sleep(pause_s)
        finally:  # also after the stop button
            process.resume()
            paused = False

    async with Backlog(_link(cluster), topics.group) as backlog:
        lags = await _lag_now(backlog, topics.of(gateway_id))
        points = [LagPoint(0.0, sum(lags.values()), paused)]
        began_s = loop.time()
        async with asyncio.TaskGroup() as work:
            working = [work.create_task(send_all()), work.create_task(pause())]
            while not (all(task.done() for task in working) and _is_level(points)):
                await asyncio.sleep(_PERIOD_S)
                lags = await _lag_now(backlog, topics.of(gateway_id))
                points.append(LagPoint(loop.time() - began_s, sum(lags.values()), paused))
    return points


def _is_level(points: Sequence[LagPoint]) -> bool:
    return points[-1].lag == 0 and not points[-1].paused
