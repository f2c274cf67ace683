"""The ladder: every rung keeps what it promises, and the counts that make it faster go down."""

import inspect
import json
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis
from test_bench_main import TINY, bench_run
from websockets.asyncio.client import connect

from wsgateway.bench.cluster import Cluster
from wsgateway.bench.ladder import RUNGS, Rung, rung, rung_target
from wsgateway.bench.ladder.words import Json, Typed
from wsgateway.bench.run import measure
from wsgateway.bench.shape import Outcome, Shape
from wsgateway.errors import WsGatewayError

SMALL = Shape(pairs=8, in_flight=16, warmup_s=0.1, duration_s=0.3, load_processes=1, quiet_s=1.0)
NAMES = [one.name for one in RUNGS]
TEXTS = {"name", "title_en", "title_zh", "buys_en", "buys_zh", "shows"}


@dataclass(frozen=True)
class Counted:
    """What Redis counted while messages passed, for each of them."""

    lookups: float
    publishes: float
    commands_per_read: float


async def counted(name: str) -> tuple[Outcome, Counted]:
    """Run a rung; return the outcome and the counts."""
    async with (
        Cluster(rung_target(name), nodes=2) as cluster,
        Redis.from_url(cluster.redis.url) as redis,
    ):
        await redis.config_resetstat()
        outcome = await measure(cluster, SMALL)
        commands = await redis.info("commandstats")
        stats = await redis.info("stats")
    calls = {key.removeprefix("cmdstat_"): value["calls"] for key, value in commands.items()}
    each = outcome.sent
    return outcome, Counted(
        (calls.get("hget", 0) + calls.get("hmget", 0)) / each,
        calls["publish"] / each,
        stats["total_commands_processed"] / stats["total_reads_processed"],
    )


@pytest.mark.parametrize("name", NAMES)
async def test_a_rung_delivers_once_and_in_order_and_asks_no_more_than_it_says(name: str) -> None:
    outcome, counts = await counted(name)
    assert outcome.faults == outcome.refused == outcome.closed == {}
    assert outcome.delivered > SMALL.pairs * SMALL.in_flight
    step = NAMES.index(name)
    if step < NAMES.index("cache"):
        assert 0.99 < counts.lookups < 1.01
    else:
        assert counts.lookups < 0.1  # per user, not per message
    if step < NAMES.index("batching"):
        assert 0.99 < counts.publishes < 1.02
    else:
        assert counts.publishes < 0.7
    if name == "plain":
        assert counts.commands_per_read < 1.1
    elif name == "pipeline":
        assert counts.commands_per_read > 1.3


def test_each_rung_changes_one_part_of_the_one_before() -> None:
    for before, after in pairwise(RUNGS):
        parts = [one.name for one in fields(Rung) if one.name not in TEXTS]
        changed = [part for part in parts if getattr(before, part) != getattr(after, part)]
        assert len(changed) == 1, after.name


def test_each_rung_shows_what_is_new() -> None:
    for one in RUNGS:
        assert one.title_en.isascii()
        assert not one.title_zh.isascii() or one.name == "uvloop"
        if one.name != "uvloop":
            assert 3 < len(inspect.getsource(one.shows).splitlines()) <= 250


def test_both_ways_of_words_say_the_same() -> None:
    frames = (
        '{"type":"register","userId":"alice"}',
        '{"type":"message","to":"bob","content":"\\u00e9\\n\\"quoted\\""}',
        '{"type":"ping"}',
    )
    for frame in frames:
        assert Json().read(frame) == Typed().read(frame)
    for words in (Json(), Typed()):
        envelope = words.envelope("bob", "alice", 'a "b"\nc')
        assert b"\n" not in envelope  # several go into one payload, with newlines between
        user, delivered = words.opened(envelope)
        assert user == "bob"
        assert json.loads(delivered) == {"type": "message", "from": "alice", "content": 'a "b"\nc'}


async def test_nobody_there_is_said() -> None:
    for name in ("plain", "sockets"):
        async with Cluster(rung_target(name), nodes=2) as cluster:
            async with connect(cluster.urls[0]) as ws:
                await ws.send('{"type":"register","userId":"alice"}')
                assert json.loads(await ws.recv())["type"] == "register"
                await ws.send('{"type":"message","to":"nobody","content":"hi"}')
                assert json.loads(await ws.recv())["code"] == "offline"
                await ws.send('{"type":"ping"}')
                assert json.loads(await ws.recv()) == {"type": "pong"}
            assert (await measure(cluster, SMALL)).faults == {}


def test_an_unknown_rung_is_refused() -> None:
    with pytest.raises(WsGatewayError, match="there are plain, pipeline"):
        rung("ladder")


def test_the_command_climbs_and_writes(tmp_path: Path) -> None:
    record, plot = tmp_path / "run.json", tmp_path / "run.png"
    done = bench_run(
        f"ladder --rungs plain,sockets --rounds 2 {TINY} --rate 200",
        *("--json", str(record), "--plot", str(plot)),
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    first, last = json.loads(record.read_text("utf-8"))["numbers"]["ladder"]
    assert (first["rung"], last["rung"]) == ("plain", "sockets")
    assert len(last["per_s_of_rounds"]) == 2
    refused = bench_run("ladder --rungs plain,wings")
    assert refused.returncode == 2
    assert "wings" in refused.stderr
