"""A stream of messages, and a gateway or broker killed under it: what is left at the end?"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from wsgateway.brokers import ApacheKafka, TansuServer
from wsgateway.brokers.server import free_port
from wsgateway.client import Client, Message, Options
from wsgateway.lab.ledger import Ledger, Pair
from wsgateway.process import GatewayProcess

_SENDING = "g1"
_RECEIVING = "g2"
_SEND_TIMEOUT_S = 60.0
_QUIET_S = 60.0
_POLL_S = 0.1
# Clients that come back within a second of their gateway: the experiment is about the gateway.
# Whoever hangs in a handshake with a gateway that was killed tries again well before `_QUIET_S`.
_EAGER = Options(backoff_base_s=0.05, backoff_cap_s=0.5, inbox=4096, connect_timeout_s=20.0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run.

    Args:
        router: "redis" or "kafka".
        messages: in all.
        pairs: senders, each with a recipient of its own.
        window: messages of one pair without an answer at once.
        rate: messages per second in all, at most.
        kills: how often the victim is killed and restarted.
        down_s: how long it stays down each time, seconds.
        victim: "gateway" (the receiving one), "broker", or "forever": the gateway, once, and its
            users move to a third gateway.
        hang: messages answered while the gateway stands still (SIGSTOP), before it is killed.
        seed: of the moments in between.
    """

    router: str = "kafka"
    messages: int = 20_000
    pairs: int = 20
    window: int = 32
    rate: float = 4_000.0
    kills: int = 5
    down_s: float = 0.2
    victim: str = "gateway"
    hang: int = 0
    seed: int = 1


class Stage:
    """Gateways on brokers, and the pairs of users who write to each other.

    Args:
        plan: what to do.
        redis: Redis URL.
        kafka: HOST:PORT of a broker; needed for the router kafka.
        broker: to be killed when that is the plan.
        flags: more flags for the gateways.
    """

    def __init__(
        self,
        plan: Plan,
        redis: str,
        kafka: str | None,
        broker: TansuServer | ApacheKafka | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self.gateways: dict[str, GatewayProcess] = {}
        self._broker = broker
        self._rng = random.Random(plan.seed)
        self._stack = AsyncExitStack()
        self._answered = 0
        self.repeats = 0
        self._redis = redis
        self._flags = ["--router", plan.router, "--lease-ttl-s", "1", *flags]
        if kafka is not None:
            self._flags += ["--kafka", kafka]

    async def __aenter__(self) -> Self:
        try:
            ids = (_SENDING, _RECEIVING, *(("g3",) if self.plan.victim == "forever" else ()))
            for gateway_id in ids:
                # Its clients look for it at the same address when it is back.
                flags = [*self._flags, "--port", str(free_port())]
                process = GatewayProcess(gateway_id, redis=self._redis, flags=flags)
                self.gateways[gateway_id] = await self._stack.enter_async_context(process)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def run(self) -> None:
        """Send, kill, restart; return once all that was promised is there, or nothing comes."""
        pairs = [(f"from-{n}", f"to-{n}") for n in range(self.plan.pairs)]
        homes = [self.gateways[one].url for one in self.gateways if one != _SENDING]
        async with AsyncExitStack() as users:
            senders = [Client(one, self.gateways[_SENDING].url, options=_EAGER) for one, _ in pairs]
            receivers = [Client(two, homes, options=_EAGER) for _, two in pairs]
            for client in (*senders, *receivers):
                await users.enter_async_context(client)
            async with asyncio.TaskGroup() as listening:
                ears = [
                    listening.create_task(self._listen(receiver, pair))
                    for receiver, pair in zip(receivers, pairs, strict=True)
                ]
                async with asyncio.TaskGroup() as working:
                    working.create_task(self._kill())
                    for sender, pair in zip(senders, pairs, strict=True):
                        working.create_task(self._send_all(sender, pair))
                await self._settle()
                for ear in ears:
                    ear.cancel()
            self.repeats = sum(receiver.duplicates for receiver in receivers)

    async def _send_all(self, sender: Client, pair: Pair) -> None:
        """Keep `window` messages under way; each worker's next one follows its last."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        turns = iter(range(self.plan.messages // self.plan.pairs))

        async def work() -> None:
            for turn in turns:
                due_s = began_s + turn * self.plan.pairs / self.plan.rate
                await asyncio.sleep(due_s - loop.time())
                number = self.ledger.sent(pair)
                status = await sender.send(pair[1], str(number), timeout_s=_SEND_TIMEOUT_S)
                self.ledger.answered(pair, number, status)
                self._answered += 1

        async with asyncio.TaskGroup() as workers:
            for _ in range(self.plan.window):
                workers.create_task(work())

    async def _listen(self, receiver: Client, pair: Pair) -> None:
        async for message in receiver:
            assert isinstance(message, Message)
            self.ledger.arrived(pair, int(message.content))

    async def _kill(self) -> None:
        """Kill at random moments, spread over the stream."""
        plan = self.plan
        for turn in range(plan.kills):
            part = plan.messages / (plan.kills + 1)
            at = part * (turn + self._rng.uniform(0.5, 1.0))
            await self._answers(at)
            if plan.victim == "broker":
                assert self._broker is not None
                await asyncio.to_thread(self._broker.kill)
                await asyncio.sleep(plan.down_s)
                await asyncio.to_thread(self._broker.restart)
                continue
            victim = self.gateways[_RECEIVING]
            if plan.hang:
                victim.pause()
                await self._answers(self._answered + plan.hang)
            victim.kill()
            await victim.wait()
            if plan.victim == "gateway":
                await asyncio.sleep(plan.down_s)
                await victim.start()

    async def _answers(self, count: float) -> None:
        """Wait until that many messages in all were answered."""
        while self._answered < min(count, self.plan.messages):  # noqa: ASYNC110 - by many workers
            await asyncio.sleep(_POLL_S)

    async def _settle(self) -> None:
        """Wait while promised messages still arrive."""
        loop = asyncio.get_running_loop()
        missing, since_s = self.ledger.missing, loop.time()
        while missing and loop.time() - since_s < self._quiet_s:
            await asyncio.sleep(_POLL_S)
            now_missing = self.ledger.missing
            if now_missing != missing:
                missing, since_s = now_missing, loop.time()

    @property
    def _quiet_s(self) -> float:
        """How long nothing must arrive until the rest is called lost, seconds."""
        # Pub/Sub keeps nothing: what has not come in a moment does not come.
        return 2.0 if self.plan.router == "redis" else _QUIET_S
