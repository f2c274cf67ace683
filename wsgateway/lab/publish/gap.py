"""A gateway whose line to Redis is cut silently, while somebody writes to its user."""

import asyncio
import secrets
from dataclasses import dataclass, field

from wsgateway.client import Client
from wsgateway.config import Config
from wsgateway.gateway import Gateway
from wsgateway.lab import logbook, servers
from wsgateway.lab.ledger import Ledger, Totals
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.publish.line import Line
from wsgateway.protocol import Status

_PATIENCE_S = 40.0
_PERIOD_S = 0.02
_ANSWER_S = 0.3  # what was asked over the dead line is given up after so long
_BEFORE = _AFTER = 25
_PAIR = ("alice", "bob")
_BYE = "bye"


@dataclass(slots=True)
class Gap:
    """What was sent before, during and after the cut.

    Args:
        canary_s: how often the gateway listened to itself.
        sent_s: when each message was sent, seconds after the first.
        cut_s: when the line fell silent.
        lost: numbers of messages that were `routed` and never arrived.
        totals: the ledger.
    """

    canary_s: float
    sent_s: list[float] = field(default_factory=list)
    cut_s: float = 0.0
    lost: list[int] = field(default_factory=list)
    totals: Totals | None = None

    @property
    def length_s(self) -> float:
        """From the first message that was lost to the last."""
        return self.sent_s[self.lost[-1]] - self.sent_s[self.lost[0]] if self.lost else 0.0


def gap(canary_s: float) -> Gap:
    """Write to bob on g2 without a pause, cut g2's line to Redis, and go on until he hears again.

    Args:
        canary_s: how often g2 publishes a canary to itself, seconds.

    Raises:
        TimeoutError: g2 never found out.
    """
    return shared_loop().run(_live(canary_s), _PATIENCE_S)


async def _live(canary_s: float) -> Gap:
    logbook.keep()
    redis = await servers.redis()
    prefix = f"gap-{secrets.token_hex(3)}:"
    async with Line(redis.address) as line:
        near = Config(gateway_id="g1", port=0, redis=redis.address, key_prefix=prefix)
        far = Config(gateway_id="g2", port=0, redis=line.url, key_prefix=prefix, canary_s=canary_s)
        async with (
            Gateway(near) as g1,
            Gateway(far) as g2,
            Client("alice", [g1.url]) as alice,
            Client("bob", [g2.url]) as bob,
        ):
            return await _write(alice, bob, line, Gap(canary_s))


async def _write(alice: Client, bob: Client, line: Line, found: Gap) -> Gap:
    ledger, loop = Ledger(), asyncio.get_running_loop()
    arrived: set[int] = set()
    told: list[Status] = []
    last = asyncio.Event()

    async def read() -> None:
        async for message in bob:
            if message.content == _BYE:
                last.set()
                continue
            arrived.add(int(message.content))
            ledger.arrived(_PAIR, int(message.content))

    reading = asyncio.create_task(read(), name="bob reads")
    try:
        began_s, healed_at = loop.time(), None
        while healed_at is None or len(found.sent_s) < healed_at + _AFTER:
            number = ledger.sent(_PAIR)
            if number == _BEFORE:
                line.cut()
                found.cut_s = loop.time() - began_s
            found.sent_s.append(loop.time() - began_s)
            told.append(await alice.send("bob", str(number)))
            ledger.answered(_PAIR, number, told[-1])
            # Paced: a stream of messages, whose holes show how long the line was silent.
            await asyncio.sleep(_PERIOD_S)
            if healed_at is None and max(arrived, default=0) > _BEFORE:
                healed_at = number
        await alice.send("bob", _BYE)
        await last.wait()  # in order, so all that will ever arrive is there
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    for number, sent_s in enumerate(found.sent_s):
        if sent_s >= found.cut_s:
            ledger.blame(_PAIR, number, "the line was silent")
    found.totals = ledger.totals()
    found.lost = [
        number
        for number, status in enumerate(told)
        if status is Status.ROUTED and number not in arrived
    ]
    return found
