"""Kafka as a router: a durable log, at least once.

Each gateway has a topic; a message that its replicas hold is `accepted`, and waits there for the
gateway, or for the one that adopts its topic.
"""

import asyncio
import logging
from dataclasses import asdict
from functools import partial

from wsgateway import tasks
from wsgateway.config import Config
from wsgateway.errors import ConfigError
from wsgateway.kafka.adoption import Adoption, topic_claim
from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.catalog import RETENTION_S, Catalog
from wsgateway.kafka.counts import KafkaCounts, p50_p99
from wsgateway.kafka.link import KafkaLink, assigned
from wsgateway.kafka.neighbours import Neighbours
from wsgateway.kafka.publisher import Publisher, Record, Written
from wsgateway.kafka.reader import Reader, ReaderSettings
from wsgateway.kafka.settings import kafka_settings
from wsgateway.kafka.tail import Tail
from wsgateway.kafka.topics import PARTITIONS, RESERVED_IDS, Topics
from wsgateway.presence.base import Claims
from wsgateway.protocol import Status
from wsgateway.routers.base import Deliver, Done, RouterHealth

log = logging.getLogger(__name__)

# Bound on an answer to anything but a write, seconds: a broker that was just started is slow.
_ANSWER_TIMEOUT_S = 10.0
_CLAIM_POLLS_PER_TTL = 20


def make(config: Config, claims: Claims) -> "KafkaRouter":
    """Return the router `config` describes.

    Raises:
        ConfigError: this gateway's id is the name of a topic of ours, or its messages are to
            outlive the topics.
    """
    if config.message_expiry_s > RETENTION_S:
        raise ConfigError(f"message_expiry_s: topics keep nothing longer than {RETENTION_S:g} s")
    if config.gateway_id in RESERVED_IDS:
        raise ConfigError(f"gateway id {config.gateway_id!r}: that topic has another use")
    return KafkaRouter(
        KafkaLink(kafka_settings(config), _ANSWER_TIMEOUT_S),
        Topics(config.key_prefix),
        config.gateway_id,
        claims,
        timeout_s=config.kafka_timeout_s,
        settings=ReaderSettings(
            fetch_wait_s=config.kafka_fetch_wait_s,
            watch_s=config.canary_s,
            patience_s=config.presence_ttl_s,
            expiry_s=config.message_expiry_s,
        ),
    )


class KafkaRouter:
    """Implements `Router` on topics `gateway-{id}` and `gateway-broadcast`.

    Args:
        link: where the brokers are.
        topics: names.
        gateway_id: whose topic to read.
        claims: shared by all gateways.
        timeout_s: after so long without an answer a write is `unknown`, seconds.
        settings: how to read.
    """

    def __init__(
        self,
        link: KafkaLink,
        topics: Topics,
        gateway_id: str,
        claims: Claims,
        *,
        timeout_s: float,
        settings: ReaderSettings,
    ) -> None:
        self._link = link
        self._topics = topics
        self._gateway_id = gateway_id
        self._claims = claims
        self._settings = settings
        self._counts = KafkaCounts()
        self._catalog = Catalog(link)
        self._publisher = Publisher(link, self._catalog, self._counts, timeout_s=timeout_s)
        self._backlog = Backlog(link, topics.group)
        self._broadcasts = Tail(
            link,
            assigned(topics.broadcast, 1),
            self._counts,
            group=None,
            fetch_wait_s=settings.fetch_wait_s,
        )
        self._reader: Reader | None = None
        self._adoption: Adoption | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def patience_s(self) -> float:
        """See `Router.patience_s`: until a dead gateway's topic has been adopted."""
        # Why: its lease lapses (1), the adopter's claim too if it was the adopter (1), it is
        # absent in two looks (1), and the topic is read (1).
        # 原因：它的租约过期（1），若它正是接管者，其占用也要过期（1），
        # 两次查找都不在（1），再读主题（1）。
        return 4 * self._claims.ttl_s

    async def start(self, deliver: Deliver) -> None:
        """See `Router.start`."""
        try:
            await self._start(deliver)
        except BaseException:
            await self.stop()
            raise

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        """See `Router.route_to_gateway`: `accepted`, `offline` (no such topic) or `unknown`."""
        record = Record(key.encode(), envelope)
        self._publisher.publish(self._topics.of(gateway_id), record, partial(_tell, done))

    def broadcast_to_all_gateways(self, envelope: bytes, done: Done) -> None:
        """See `Router.broadcast_to_all_gateways`."""
        record = Record(b"", envelope)
        self._publisher.publish(self._topics.broadcast, record, partial(_tell, done))

    async def stop(self) -> None:
        """See `Router.stop`; what is settled is committed."""
        # Why: all at once. A Kafka that does not answer holds up each of them, and whoever waits
        # for us may give up before the last one's turn.
        # 原因：一起关闭。Kafka 不应答时每一个都要等，排到最后一个之前，等我们的人可能已经放弃。
        reading = (self._adoption, self._reader, self._broadcasts, self._backlog)
        try:
            await tasks.end(*self._tasks)
        finally:
            async with asyncio.TaskGroup() as group:
                for part in (*reading, self._publisher, self._catalog):
                    if part is not None:
                        group.create_task(part.aclose())
            self._tasks = []
            self._reader = None

    def health(self) -> RouterHealth:
        """See `Router.health`."""
        reader, adoption = self._reader, self._adoption
        if reader is None or adoption is None:
            return RouterHealth(ok=False, why="not started, or stopped", kind="kafka")
        everyone = [reader, *adoption.readers.values()]
        middle_s, slow_s = p50_p99(self._publisher.produce_s)
        why = self._why(reader)
        return RouterHealth(
            ok=why is None,
            why=why,
            kind="kafka",
            counters=asdict(self._counts),
            gauges={
                "produce_p50_s": middle_s,
                "produce_p99_s": slow_s,
                "lag": {str(number): lag for number, lag in sorted(reader.tail.lag.items())},
                "held": sum(one.intake.held for one in everyone),
                "adopted": len(adoption.readers),
                "idempotent": int(self._publisher.idempotent),
            },
            waiting=len(self._publisher),
        )

    async def _start(self, deliver: Deliver) -> None:
        topics, own = self._topics, self._topics.of(self._gateway_id)
        await self._catalog.start()
        found = await self._catalog.ensure(own, PARTITIONS)
        if found != PARTITIONS:
            # Why: all of them are read, and senders count for themselves, so nothing is missed.
            # 原因：所有分区都会读，发送方也各自数分区，所以什么都不会漏。
            log.warning("topic %s has %d partitions, not %d: used as is", own, found, PARTITIONS)
        await self._catalog.ensure(topics.broadcast, 1)
        await self._catalog.ensure(topics.dead_letters, 1)
        await self._publisher.start()
        await self._backlog.start()
        await self._await_our_topic()
        self._reader = await self._make_reader(deliver, self._gateway_id, None)
        await self._reader.start()
        await self._claims.release(topic_claim(self._gateway_id))
        await self._broadcasts.start()
        neighbours = Neighbours(topics, self._catalog, self._backlog)
        self._adoption = Adoption(
            self._gateway_id,
            self._claims,
            neighbours.gateways,
            neighbours.ends,
            neighbours.lag,
            lambda gateway_id: self._make_reader(deliver, gateway_id, gateway_id),
            self._counts,
        )
        self._tasks = [
            asyncio.create_task(self._hear_broadcasts(deliver), name="kafka router: broadcasts"),
            asyncio.create_task(self._adoption.run(), name="kafka router: adoption"),
        ]

    async def _await_our_topic(self) -> None:
        """Wait until whoever adopted our topic has let go of it."""
        while not await self._claims.hold(topic_claim(self._gateway_id)):
            log.info("our topic is still being read by the gateway that adopted it")
            await asyncio.sleep(self._claims.ttl_s / _CLAIM_POLLS_PER_TTL)

    async def _hear_broadcasts(self, deliver: Deliver) -> None:
        while True:
            for record in await self._broadcasts.next():
                try:
                    deliver(record.value or b"")
                except Exception:  # a bug; it must cost one envelope, not this gateway's hearing
                    log.exception("a broadcast was not taken in")

    async def _make_reader(
        self, deliver: Deliver, gateway_id: str, addressee: str | None
    ) -> Reader:
        return Reader(
            self._link,
            self._topics,
            self._publisher,
            gateway_id,
            await self._catalog.partitions(self._topics.of(gateway_id)),
            deliver,
            self._counts,
            addressee=addressee,
            settings=self._settings,
        )

    def _why(self, reader: Reader) -> str | None:
        """Why envelopes for this gateway may not arrive, or None."""
        if reader.failed is not None:
            return f"the reader died: {reader.failed!r}"
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return f"{task.get_name()} died: {task.exception()!r}"
        return reader.tail.failure


def _tell(done: Done, written: Written) -> None:
    """Tell `done` what became of a record; a failure is `unknown`."""
    done(Status.UNKNOWN if isinstance(written, Exception) else written)
