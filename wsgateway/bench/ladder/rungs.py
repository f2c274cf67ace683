"""The ladder: ten gateways, from the plain design to the shipped one, one change at a time."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from wsgateway.bench.dialect import JsonDialect
from wsgateway.bench.ladder.redis import Batched, Cached, Lean, Pipelined, Plain
from wsgateway.bench.ladder.sockets import Accept, Direct, Streamed, direct, streams
from wsgateway.bench.ladder.words import Json, Typed, Words
from wsgateway.bench.run import wsgateway_target
from wsgateway.bench.target import Node, Target
from wsgateway.dedup import RecentIds
from wsgateway.delivery import Delivery
from wsgateway.errors import WsGatewayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One gateway of the ladder.

    Args:
        name: in commands and tables.
        title_en, title_zh: what is new, in a few words.
        buys_en, buys_zh: what it buys, in one sentence.
        shows: the class or function that is new; `inspect.getsource(rung.shows)` shows it.
        words: how frames are read and written.
        redis: how Redis is asked.
        loop: the event loop.
        accept: how clients are talked to.
        shipped: not the sketch but `python -m wsgateway`.
        ids: messages carry an `id`, which asks for an ack and for deduplication.
    """

    name: str
    title_en: str
    title_zh: str
    buys_en: str
    buys_zh: str
    shows: Any = Plain
    words: Callable[[], Words] = Json
    redis: Callable[[str, str], Plain] = Plain
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    accept: Accept = streams
    shipped: bool = False
    ids: bool = False

    @property
    def titles(self) -> tuple[str, str]:
        """Both titles, English first."""
        return self.title_en, self.title_zh


_PLAIN = Rung(
    name="plain",
    title_en="plain: one lookup, one publish",
    title_zh="朴素设计：一次查询、一次发布",
    buys_en="The design everyone draws first: ask where bob is, publish to that gateway.",
    buys_zh="人人最先画出的设计：查 bob 在哪里，再发布到那个网关。",
)
_PIPELINE = replace(
    _PLAIN,
    name="pipeline",
    title_en="+ one pipeline",
    title_zh="+ 共用一条管道",
    buys_en="Commands of all connections share a round trip, so a message pays for part of one.",
    buys_zh="所有连接的命令共用一次往返，每条消息只分摊其中一份。",
    shows=Pipelined,
    redis=Pipelined,
)
_BATCHING = replace(
    _PIPELINE,
    name="batching",
    title_en="+ batches without a timer",
    title_zh="+ 不用定时器的批",
    buys_en="One PUBLISH carries many envelopes, so Redis and the other gateway wake less often.",
    buys_zh="一次 PUBLISH 带走许多信封，Redis 和对面的网关都少醒几次。",
    shows=Batched,
    redis=Batched,
)
_CACHE = replace(
    _BATCHING,
    name="cache",
    title_en="+ route cache",
    title_zh="+ 路由缓存",
    buys_en="A route asked for once serves for seconds: almost no message asks presence.",
    buys_zh="路由查一次能用好几秒，几乎没有消息再去查在线状态。",
    shows=Cached,
    redis=Cached,
)
_MSGSPEC = replace(
    _CACHE,
    name="msgspec",
    title_en="+ msgspec, encoded once",
    title_zh="+ msgspec，只编码一次",
    buys_en="Frames are typed, and the recipient's is encoded once and passed through as bytes.",
    buys_zh="帧有了类型，收件人的帧只编码一次，之后原样传递字节。",
    shows=Typed,
    words=Typed,
)
_UVLOOP = replace(
    _MSGSPEC,
    name="uvloop",
    title_en="+ uvloop",
    title_zh="+ uvloop",
    buys_en="The event loop itself is compiled code; ours stays as it is.",
    buys_zh="事件循环本身换成编译好的代码，我们的代码一行不改。",
    shows=uvloop.new_event_loop,
    loop=uvloop.new_event_loop,
)
_LINK = replace(
    _UVLOOP,
    name="link",
    title_en="+ lean Redis link",
    title_zh="+ 精简的 Redis 链路",
    buys_en="Replies come as callbacks in the turn that read them: no future, no task, no pool.",
    buys_zh="应答在读到它的那一轮里直接回调：没有 future，没有任务，没有连接池。",
    shows=Lean,
    redis=Lean,
)
_SOCKETS = replace(
    _LINK,
    name="sockets",
    title_en="+ sans-I/O WebSockets",
    title_zh="+ sans-I/O 的 WebSocket",
    buys_en="All frames of a segment in one call, many frames in one write, no task for either.",
    buys_zh="一个报文段里的帧一次处理完，多帧一次写出，收发都不用任务。",
    shows=Direct,
    accept=direct,
)
_SAFETY = replace(
    _SOCKETS,
    name="safety",
    title_en="the shipped gateway, nobody asks for acks",
    title_zh="正式网关，没人要确认",
    buys_en="Limits, bounded outboxes, forwarding, order across moves: what safety costs.",
    buys_zh="限制、有界发件箱、转发、迁移保序：看看保障要花多少。",
    shows=Delivery,
    shipped=True,
)
_SHIPPED = replace(
    _SAFETY,
    name="shipped",
    title_en="+ ids: an ack and a check for each message",
    title_zh="+ id：每条消息都有确认和查重",
    buys_en="Every sender learns what became of every message, and a retry does not arrive twice.",
    buys_zh="每个发件人都知道每条消息的下落，重试也不会送达两次。",
    shows=RecentIds,
    ids=True,
)

RUNGS = (
    *(_PLAIN, _PIPELINE, _BATCHING, _CACHE, _MSGSPEC),
    *(_UVLOOP, _LINK, _SOCKETS, _SAFETY, _SHIPPED),
)
PARTS = (Plain, Streamed, Json)
"""What the first rung is made of."""


def rung(name: str) -> Rung:
    """Return the rung of that name.

    Raises:
        WsGatewayError: there is none.
    """
    for one in RUNGS:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in RUNGS)
    raise WsGatewayError(f"no rung {name!r}: there are {known}")


def rung_target(name: str) -> Target:
    """Return the gateway of a rung as a target.

    Raises:
        WsGatewayError: there is no such rung.
    """
    chosen = rung(name)
    dialect = JsonDialect(ids=chosen.ids)
    if chosen.shipped:
        return replace(wsgateway_target(name=name), dialect=dialect)

    def command(node: Node) -> list[str]:
        made = [sys.executable, "-m", "wsgateway.bench.ladder", "--rung", name]
        made += ["--id", f"g{node.index + 1}", "--port", str(node.port)]
        return [*made, "--redis", node.redis]

    return Target(name=name, command=command, dialect=dialect)
