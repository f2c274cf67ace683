"""`waterfall`: where the microseconds of one message go, at low load.

The gateways stamp a traced message on its way; the clients at both ends add the first and the
last instant. All of them read the one wall clock of this machine.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import msgspec
import uvloop

from wsgateway.bench import flags
from wsgateway.bench.cluster import Cluster
from wsgateway.bench.dialect import Frame, JsonDialect
from wsgateway.bench.findings import Findings, Table
from wsgateway.bench.link import Link
from wsgateway.bench.plots import label
from wsgateway.bench.run import wsgateway_target
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, percentile
from wsgateway.bench.style import BLUE, GREEN, GREY, ORANGE, SKY, drawing
from wsgateway.command import Parser
from wsgateway.protocol import Hop

STAGES = ("sent", "received", "resolved", "arrived", "outbox", "heard")
"""The instants of a message, in order: the first and the last are the clients'."""

_TITLES = {
    "received": ("into the first gateway", "进入第一个网关"),
    "resolved": ("where is bob? (route cached)", "bob 在哪里？（路由已缓存）"),
    "arrived": ("through the broker", "经过消息代理"),
    "outbox": ("find bob's connection", "找到 bob 的连接"),
    "heard": ("out to bob", "送到 bob 手里"),
}
_COLOURS = (BLUE, SKY, ORANGE, SKY, GREEN)
_WARMUP = 50
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a message's way; quartiles over all messages, microseconds.

    Args:
        start, end: two of `STAGES`.
        title_en, title_zh: what happens in it.
        p25_us, p50_us, p75_us: the middle half, and the median.
    """

    start: str
    end: str
    title_en: str
    title_zh: str
    p25_us: float
    p50_us: float
    p75_us: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Where a message's time goes.

    Args:
        segments: in order; their medians need not add up to the median of the whole.
        whole: from client to client.
        messages: how many were traced.
        rate_per_s: at which they were sent.
        broker: what carried them.
    """

    segments: tuple[Segment, ...]
    whole: Segment
    messages: int
    rate_per_s: float
    broker: str


def segments(traces: Sequence[Sequence[Hop]]) -> tuple[tuple[Segment, ...], Segment]:
    """Return the stretches of traced messages, and the whole. Pure.

    Args:
        traces: per message one hop for each of `STAGES`, in order.

    Raises:
        BenchError: there are none, or one took another way.
    """
    if not traces:
        raise BenchError("no message was traced")
    for trace in traces:
        if tuple(hop.stage for hop in trace) != STAGES:
            raise BenchError(f"another way: {' '.join(hop.stage for hop in trace)}")
    parts = tuple(
        _segment(start, end, _TITLES[end], [trace[at + 1].us - trace[at].us for trace in traces])
        for at, (start, end) in enumerate(pairwise(STAGES))
    )
    title = ("client to client", "客户端到客户端")
    return parts, _segment("sent", "heard", title, [one[-1].us - one[0].us for one in traces])


def _segment(start: str, end: str, title: tuple[str, str], took_us: list[int]) -> Segment:
    ordered = sorted(took_us)
    return Segment(start, end, *title, *(percentile(ordered, percent) for percent in (25, 50, 75)))


async def waterfall(
    *,
    messages: int = 1_000,
    rate_per_s: float = 200.0,
    router: str = "redis",
    kafka: str = "tansu",
    seed: int = 1,
) -> Waterfall:
    """Trace messages from one gateway process to another, one at a time.

    Args:
        messages: how many; some more go before, so that routes are known.
        rate_per_s: sent at random moments.
        router: "redis" or "kafka".
        kafka: "tansu" or "apache".
        seed: of those moments.

    Raises:
        WsGatewayError: something did not start, or a message did not arrive.
    """
    ours = wsgateway_target(router=router)
    async with Cluster(ours, nodes=2, router=router, kafka=kafka) as cluster:
        # Why: the clients get a fast loop of their own, whatever loop we are called in: a
        # notebook's kernel, for one.
        # 原因：不管我们在哪个循环里被调用（比如笔记本内核），客户端都用自己的快速循环。
        tracing = _trace(cluster.urls, messages + _WARMUP, rate_per_s, seed)
        traces = await asyncio.to_thread(uvloop.run, tracing)
        parts, whole = segments(traces[_WARMUP:])
        return Waterfall(parts, whole, messages, rate_per_s, cluster.broker)


class _Traced(msgspec.Struct):
    content: str
    trace: list[Hop]


_decode = msgspec.json.Decoder(_Traced).decode


class _Tracing(JsonDialect):
    """Asks for traces, and adds both ends to them."""

    def __init__(self) -> None:
        super().__init__(ids=False)
        self.traces: list[list[Hop]] = []

    def message(self, to: str, content: str, message_id: str) -> bytes:
        """See `Dialect.message`."""
        return msgspec.json.encode({"type": "message", "to": to, "content": content, "trace": True})

    def read(self, payload: bytes) -> Frame:
        """See `Dialect.read`."""
        now_us = time.time_ns() // 1000
        if b'"trace"' in payload:
            traced = _decode(payload)
            sent = Hop("alice", "sent", int(traced.content))
            self.traces.append([sent, *traced.trace, Hop("bob", "heard", now_us)])
        return super().read(payload)


async def _trace(
    urls: Sequence[str], messages: int, rate_per_s: float, seed: int
) -> list[list[Hop]]:
    dialect, rng, arrived = _Tracing(), random.Random(seed), asyncio.Semaphore(0)
    alice, bob = Link("alice", dialect), Link("bob", dialect, lambda frame, more: arrived.release())
    await bob.connect(urls[1])
    await alice.connect(urls[0])
    try:
        for _ in range(messages):
            await asyncio.sleep(rng.expovariate(rate_per_s))
            alice.write([dialect.message("bob", str(time.time_ns() // 1000), "")])
            async with asyncio.timeout(_PATIENCE_S):
                await arrived.acquire()
    except TimeoutError:
        raise BenchError(f"a traced message did not arrive in {_PATIENCE_S:g} s") from None
    finally:
        await alice.leave(politely=False)
        await bob.leave(politely=False)
    return dialect.traces


def draw(made: Waterfall) -> bytes:
    """Return a PNG: a bar for each stretch, beginning where the last one ended."""
    longest = max(made.segments, key=lambda one: one.p50_us)
    total = sum(one.p50_us for one in made.segments)
    with drawing(height_in=1.9 + 0.75 * len(made.segments)) as drawn:
        axes = drawn.figure.add_subplot()
        began = 0.0
        for row, (one, colour) in enumerate(zip(made.segments, _COLOURS, strict=True)):
            axes.barh(row, max(one.p50_us, total / 400), left=began, color=colour)
            ends = began + one.p25_us, began + one.p75_us
            axes.plot(ends, (row, row), color=GREY, linewidth=1.5, marker="|", markersize=9)
            axes.annotate(
                f"{one.p50_us:,.0f} µs",
                (began if began > total * 0.6 else ends[1], row),
                xytext=(-6 if began > total * 0.6 else 6, 0),
                textcoords="offset points",
                ha="right" if began > total * 0.6 else "left",
                va="center",
            )
            began += one.p50_us
        names = [f"{one.title_en}\n{one.title_zh}" for one in made.segments]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, total * 1.2)
        axes.grid(axis="y", visible=False)
        middle_zh = f"中位数；细线为中间一半（微秒），{made.broker}"
        axes.set_xlabel(label("median; line: middle half (µs)", middle_zh))
        axes.set_title(
            f"{made.whole.p50_us:,.0f} µs from client to client; longest: {longest.title_en}\n"
            f"客户端到客户端 {made.whole.p50_us:,.0f} 微秒；最长的一段：{longest.title_zh}"
        )
    return drawn.png


def add_flags(parser: Parser) -> None:
    """Add the flags of this command."""
    add = parser.add_argument
    add("--messages", type=flags.whole(1), default=1_000, metavar="N", help="traced [1000]")
    add("--rate", type=flags.positive, default=200.0, metavar="MSG/S", help="at most [200]")


async def perform(given: argparse.Namespace, screen: Screen) -> Findings:
    """Trace messages and tell where their time went."""
    with screen.bar("traced messages"):
        made = await waterfall(
            messages=given.messages,
            rate_per_s=given.rate,
            router=given.router,
            kafka=given.kafka,
            seed=given.seed,
        )
    numbers = {"waterfall": asdict(made)}
    rows = [
        (one.title_en, *(f"{us:,.0f}" for us in (one.p25_us, one.p50_us, one.p75_us)))
        for one in (*made.segments, made.whole)
    ]
    title = f"One message, client to client, {made.broker}"
    table = Table(title, ("stretch", "p25 us", "p50 us", "p75 us"), list(rows))
    return Findings(seed=given.seed, plot=lambda: draw(made), tables=[table], numbers=numbers)
