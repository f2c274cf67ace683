"""One mode's half of the afternoon: two gateway processes, their brokers, and their users."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer, free_port
from wsgateway.client import Client, Event, LateFailure, Message, Options
from wsgateway.config import Config
from wsgateway.errors import KafkaUnavailable
from wsgateway.kafka.backlog import Backlog
from wsgateway.kafka.link import KafkaLink
from wsgateway.kafka.settings import kafka_settings
from wsgateway.kafka.topics import PARTITIONS, Topics
from wsgateway.lab.afternoon.diary import Diary, Lag, Letter, Outage
from wsgateway.lab.afternoon.script import Mode, Script, Trouble, timetable
from wsgateway.lab.ledger import PROMISED
from wsgateway.process import GatewayProcess
from wsgateway.protocol import Status

SENDING = "g1"
RECEIVING = "g2"
_WARM_UP = -1
_POLL_S = 0.05
_LOOK_S = 0.5
_TIMEOUT_S = 10.0
_HANG_S = 0.5
_BREATH_S = 0.5  # between two troubles, so that each can be told from the next
_DOOMED = 3  # of each kind, so that the kill surely finds some under way
_QUIET_S = {"redis": 1.0, "kafka": 30.0}
# Clients that come back within half a second of their gateway: the lesson is about brokers.
_EAGER = Options(backoff_base_s=0.05, backoff_cap_s=0.5, inbox=4096, connect_timeout_s=60.0)


class Stage:
    """Lives through a script in one mode.

    Args:
        mode: "redis" or "kafka".
        script: what happens.
        seed: of the timetable, and of the clients' backoff.
        kafka: the broker of the mode kafka, not started yet.
    """

    def __init__(
        self, mode: Mode, script: Script, seed: int, *, kafka: TansuServer | ApacheKafka | None
    ) -> None:
        self._script = script
        self._seed = seed
        self._redis = RedisServer()
        self._kafka = kafka
        self._broker = kafka or self._redis
        self._diary = Diary(mode, "", [Letter(due) for due in timetable(script, seed)])
        self._stack = AsyncExitStack()
        self._began_s = 0.0
        self._over = asyncio.Event()

    async def live(self, ready: asyncio.Barrier) -> Diary:
        """Start everything, wait for the others, live through the script, stop everything."""
        async with self._stack:
            await self._start_servers()
            gateways = {name: await self._gateway(name) for name in (SENDING, RECEIVING)}
            senders = await self._clients(gateways[SENDING], sending=True)
            receivers = await self._clients(gateways[RECEIVING], sending=False)
            for due in {letter.due.sender: letter.due for letter in self._diary.letters}.values():
                await senders[due.sender].send(due.recipient, str(_WARM_UP))
            await ready.wait()
            self._began_s = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as watching:
                ears = [watching.create_task(self._listen(one)) for one in receivers.values()]
                if self._kafka is not None:
                    watching.create_task(self._watch_lag(self._kafka))
                async with asyncio.TaskGroup() as acting:
                    acting.create_task(self._suffer(gateways[RECEIVING]))
                    acting.create_task(self._send_all(senders))
                await self._settle()
                self._over.set()
                for ear in ears:
                    ear.cancel()
            self._diary.repeats = sum(one.duplicates for one in receivers.values())
        return self._diary

    async def _start_servers(self) -> None:
        for server in (self._redis, self._kafka):
            if server is not None:
                self._stack.callback(server.stop)
                await asyncio.to_thread(server.start)
        self._diary.broker = self._broker.name

    async def _gateway(self, name: str) -> GatewayProcess:
        # A port of its own, where its clients find it again when it was restarted.
        flags = ["--router", self._diary.mode, "--port", str(free_port())]
        if self._kafka is not None:
            flags += ["--kafka", self._kafka.address]
        process = GatewayProcess(name, redis=self._redis.url, flags=flags)
        self._stack.callback(process.close)  # no drain: its brokers go with it
        await process.start()
        return process

    async def _clients(self, gateway: GatewayProcess, *, sending: bool) -> dict[str, Client]:
        """Connect all who send, or all recipients who are there."""
        names = {
            letter.due.sender if sending else letter.due.recipient
            for letter in self._diary.letters
            if sending or not letter.due.kind.away
        }
        clients = {}
        for name in sorted(names):
            rng = random.Random(f"{self._seed} {name}")
            client = Client(name, gateway.url, options=_EAGER, rng=rng, on_event=self._late)
            clients[name] = await self._stack.enter_async_context(client)
        return clients

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    async def _send_all(self, senders: dict[str, Client]) -> None:
        """Send each letter when it is due, however the earlier ones fare."""
        async with asyncio.TaskGroup() as sending:
            for number, letter in enumerate(self._diary.letters):
                await asyncio.sleep(letter.due.at_s - self._now_s)
                sending.create_task(self._send(senders[letter.due.sender], number, letter))

    async def _send(self, sender: Client, number: int, letter: Letter) -> None:
        patience_s = letter.due.kind.patience_s
        status = await sender.send(
            letter.due.recipient, str(number), timeout_s=patience_s, id=str(number)
        )
        if letter.status is None:  # late news may have been quicker than this task
            letter.status, letter.told_s = status, self._now_s

    def _late(self, event: Event) -> None:
        """Correct what a sender had been told: a promised message has failed after all."""
        if isinstance(event, LateFailure) and event.id.isdecimal():  # not a warm-up
            letter = self._diary.letters[int(event.id)]
            letter.status, letter.told_s = Status(event.code), self._now_s

    async def _listen(self, receiver: Client) -> None:
        async for message in receiver:
            assert isinstance(message, Message)
            number = int(message.content)
            if number != _WARM_UP:
                self._diary.arrivals.append(number)
                letter = self._diary.letters[number]
                letter.arrived_s = min(letter.arrived_s, self._now_s)

    async def _suffer(self, receiver: GatewayProcess) -> None:
        for trouble in self._script.troubles:
            earliest_s = max((one.end_s + _BREATH_S for one in self._diary.outages), default=0.0)
            await asyncio.sleep(max(trouble.at_s, earliest_s) - self._now_s)
            begin_s = self._now_s
            if trouble.victim == "broker":
                done = await self._hurt_broker(trouble)
            else:
                done = await self._hurt_receiver(receiver, trouble)
            self._diary.outages.append(Outage(trouble, begin_s, self._now_s, done))

    async def _hurt_receiver(self, receiver: GatewayProcess, trouble: Trouble) -> str:
        receiver.pause()
        if trouble.what == "pause":
            try:
                await asyncio.sleep(trouble.lasts_s)
            finally:  # also after the stop button
                receiver.resume()
            return "paused"
        try:
            await self._doomed()
        finally:
            receiver.kill()
        await receiver.wait()
        await asyncio.sleep(trouble.lasts_s)
        await receiver.start()
        return "killed"

    async def _hurt_broker(self, trouble: Trouble) -> str:
        # Why: a Kafka that is restarted still has its log; Tansu, all in memory, would come back
        # empty, as no Kafka in service does. So Tansu is paused: silence, and then the same log.
        # Redis is killed for real: Pub/Sub has nothing to keep, whoever restarts it.
        # 原因：真正的 Kafka 重启后日志还在；Tansu 只在内存里，重启就空了，
        # 生产中的 Kafka 不会这样。所以 Tansu 只暂停：先沉默，然后日志原样还在。
        # Redis 则真的杀掉：发布/订阅本来就什么也不留，谁来重启都一样。
        if trouble.what == "pause" or isinstance(self._broker, TansuServer):
            self._broker.pause()
            try:
                await asyncio.sleep(trouble.lasts_s)
            finally:
                self._broker.resume()
            return "paused"
        await asyncio.to_thread(self._broker.kill)
        await asyncio.sleep(trouble.lasts_s)
        await asyncio.to_thread(self._broker.restart)
        return "killed"

    async def _doomed(self) -> None:
        """Wait until senders were promised messages that the hanging receiver has not taken."""
        since_s = self._now_s
        await asyncio.sleep(_HANG_S)
        kept = [kind for kind in self._script.kinds if kind.keep]
        while not all(  # noqa: ASYNC110 - many senders change it
            sum(
                letter.due.kind is kind and letter.status in PROMISED and letter.due.at_s > since_s
                for letter in self._diary.letters
            )
            >= _DOOMED
            for kind in kept
        ):
            await asyncio.sleep(_POLL_S)

    async def _watch_lag(self, kafka: TansuServer | ApacheKafka) -> None:
        settings = kafka_settings(Config(gateway_id="lab", kafka=kafka.address))
        topics = Topics("")
        async with Backlog(KafkaLink(settings, _TIMEOUT_S), topics.group) as backlog:
            while not self._over.is_set():
                records: int | None = None
                with suppress(TimeoutError, KafkaUnavailable):  # it is down: a hole in the curve
                    async with asyncio.timeout(_LOOK_S):
                        found = await backlog.of(topics.of(RECEIVING), PARTITIONS)
                    records = sum(one.lag for one in found.values())
                self._diary.lags.append(Lag(self._now_s, records))
                await asyncio.sleep(_POLL_S)

    async def _settle(self) -> None:
        """Wait while promised messages still arrive, and the log still has some to commit."""
        quiet_s, since_s, left = _QUIET_S[self._diary.mode], self._now_s, -1
        while self._now_s - since_s < quiet_s:
            await asyncio.sleep(_POLL_S)
            lag = self._diary.lags[-1].records if self._kafka is not None else 0
            (promised,) = self._diary.waiting_at([self._now_s])
            now_left = promised + (1 if lag is None else lag)
            if now_left == 0:
                return
            if now_left != left:
                left, since_s = now_left, self._now_s
