"""Reading on for gateways that do not come back: one gateway at a time adopts all of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from wsgateway.errors import BrokerUnavailable, Overloaded
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.reader import Reader
from wsgateway.presence.base import Claims

log = logging.getLogger(__name__)

_ADOPTER = "adopter"
# Looks per life of a claim: it is renewed twice before it would lapse.
_LOOKS_PER_TTL = 3


def topic_claim(gateway_id: str) -> str:
    """Return the claim that whoever reads this gateway's topic must hold to begin."""
    return f"topic:{gateway_id}"


class Adoption:
    """Finds topics without a reader, and reads them until their gateway is back or all is settled.

    Args:
        gateway_id: this gateway.
        claims: shared by all gateways.
        gateways: returns the ids of all gateways that have a topic.
        ends: returns where the topics of these gateways end, in one question.
        backlog: returns how many records of a gateway's topic are not committed.
        make_reader: returns a reader of a gateway's topic, not started.
        counts: counters to keep.
    """

    # Why two claims. `adopter`: only one gateway looks, so a thousand gateways cost no more than
    # one. `topic:{id}`: a gateway that returns waits until its adopter has let go, or both would
    # read, and commit over each other.
    # 原因：为什么要两个占用。`adopter`：只有一个网关在查找，一千个网关的开销与一个相同；
    # `topic:{id}`：归来的网关要等接管者放手，否则两边同时读，还会互相覆盖提交。

    def __init__(
        self,
        gateway_id: str,
        claims: Claims,
        gateways: Callable[[], Awaitable[set[str]]],
        ends: Callable[[Sequence[str]], Awaitable[dict[str, tuple[int, ...]]]],
        backlog: Callable[[str], Awaitable[int]],
        make_reader: Callable[[str], Awaitable[Reader]],
        counts: KafkaCounts,
    ) -> None:
        self._gateway_id = gateway_id
        self._claims = claims
        self._gateways = gateways
        self._ends = ends
        self._backlog = backlog
        self._make_reader = make_reader
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._sure_until_s = 0.0
        self._absent: set[str] = set()
        self._settled: dict[str, tuple[int, ...]] = {}
        self.readers: dict[str, Reader] = {}

    async def run(self) -> None:
        """Look again and again until cancelled; `aclose` lets go of all."""
        try:
            while True:
                await asyncio.sleep(self._claims.ttl_s / _LOOKS_PER_TTL)
                try:
                    # Why: a look that Kafka holds up must not outlast the claims it would renew.
                    # 原因：被 Kafka 拖住的查找，不能比它该续的占用活得还久。
                    until_s = self._sure_until_s if self.readers else None
                    async with asyncio.timeout_at(until_s) as bound:
                        await self._look(bound)
                except (BrokerUnavailable, Overloaded, TimeoutError) as error:
                    log.debug("cannot look for topics without a reader: %s", error)
                    self._absent.clear()
                    await self._let_go_unless_sure()
        except Exception:  # a bug; and who does not look must not read
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Let go of all. Safe to call twice."""
        async with asyncio.TaskGroup() as group:
            for gateway_id in self.readers:
                group.create_task(self._let_go(gateway_id))

    async def _look(self, bound: asyncio.Timeout) -> None:
        asked_s = self._loop.time()
        if not await self._claims.hold(_ADOPTER):
            self._absent.clear()
            for gateway_id in list(self.readers):  # we slept, and another adopts now
                await self._let_go(gateway_id)
            return
        known = sorted(await self._gateways() - {self._gateway_id})
        alive = await self._claims.alive(known)
        for gateway_id in list(self.readers):
            await self._keep_or_let_go(gateway_id, gateway_id in alive)
        self._sure_until_s = asked_s + self._claims.ttl_s
        bound.reschedule(self._sure_until_s)
        absent = set(known) - alive
        # Why: absent twice. A lease may be gone for a moment when Redis comes back empty.
        # 原因：连续两次都不在才算。Redis 重启后是空的，租约会短暂消失。
        gone = sorted(absent & self._absent - set(self.readers))
        self._absent = absent
        # Why: topics outlive their gateways, and hundreds may lie there empty. One question tells
        # where all of them end; only those that have grown since are looked into.
        # 原因：主题比网关活得久，可能有几百个空主题留在那里。一次询问就知道它们各自的末尾，
        # 只有变长了的才需要细看。
        ends = await self._ends(gone) if gone else {}
        self._settled = {one: self._settled[one] for one in gone if one in self._settled}
        for gateway_id in gone:
            if self._settled.get(gateway_id) == ends[gateway_id]:
                continue
            if self._loop.time() > asked_s + self._claims.ttl_s / _LOOKS_PER_TTL:
                break  # the others at the next look: by then our claims must be renewed
            if await self._backlog(gateway_id):
                await self._adopt(gateway_id)
            else:
                self._settled[gateway_id] = ends[gateway_id]

    async def _adopt(self, gateway_id: str) -> None:
        if not await self._claims.hold(topic_claim(gateway_id)):
            return
        # Why: looked at again with the claim in hand. A gateway that starts takes its lease
        # first and asks for the claim then, so one of the two always sees the other.
        # 原因：拿到占用之后再看一眼。启动中的网关先拿租约、后要占用，
        # 所以两边总有一边能看到另一边。
        if await self._claims.alive([gateway_id]):
            await self._claims.release(topic_claim(gateway_id))
            return
        reader = await self._make_reader(gateway_id)
        await reader.start()
        self.readers[gateway_id] = reader
        self._counts.adoptions += 1
        log.warning("gateway %s is gone: reading on in its topic", gateway_id)

    async def _keep_or_let_go(self, gateway_id: str, is_back: bool) -> None:
        reader = self.readers[gateway_id]
        if is_back:
            log.info("gateway %s is back", gateway_id)
        elif reader.caught_up:
            log.info("all that gateway %s left behind is settled", gateway_id)
        elif reader.failed is None and await self._claims.hold(topic_claim(gateway_id)):
            return
        await self._let_go(gateway_id)

    async def _let_go_unless_sure(self) -> None:
        """Redis does not answer: once our claims may have lapsed, another may be reading."""
        if self._loop.time() >= self._sure_until_s:
            await self.aclose()

    async def _let_go(self, gateway_id: str) -> None:
        # Forgotten last: cut off on the way, it is done again.
        await self.readers[gateway_id].aclose()
        try:
            await self._claims.release(topic_claim(gateway_id))
        except (BrokerUnavailable, Overloaded) as error:
            log.debug("claim not released, it lapses by itself: %s", error)
        del self.readers[gateway_id]
