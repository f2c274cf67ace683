"""Comparing with others: their packets, their file, the ratios, and one small comparison."""

import argparse
import asyncio
import json
import tomllib
from pathlib import Path

import pytest
from test_bench_main import TINY

from wsgateway.bench import compare, flags, machine, record
from wsgateway.bench.dialect import Heard
from wsgateway.bench.peers import FOLDER, peers
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import BenchError, Outcome, Shape
from wsgateway.bench.socketio import SocketIoDialect
from wsgateway.bench.target import Node
from wsgateway.command import Parser

ROOT = Path(__file__).parents[2]


def test_socket_io_packets_are_those_its_own_client_sends() -> None:
    """As https://socket.io/docs/v4/socket-io-protocol/ has them, and socket.io-client 4.8 sends."""
    io = SocketIoDialect()
    assert io.acks
    assert io.hello("bob") == [b'40{"userId":"bob"}']
    assert io.message("bob", "hi", "7") == b'427["message",{"to":"bob","content":"hi"}]'
    calm = SocketIoDialect(acks=False)
    assert not calm.acks
    assert calm.message("bob", "hi", "7") == b'42["message",{"to":"bob","content":"hi"}]'


@pytest.mark.parametrize(
    ("packet", "kind", "text", "number", "reply"),
    [
        (b'0{"sid":"x","upgrades":[],"pingInterval":25000}', Heard.NOISE, "", None, None),
        (b'40{"sid":"y"}', Heard.READY, "", None, None),
        (b'42["message",{"from":"a","content":"hi"}]', Heard.MESSAGE, "hi", None, None),
        (b'4312["routed"]', Heard.ACK, "routed", "12", None),
        (b'44{"message":"no"}', Heard.REFUSED, '{"message":"no"}', None, None),
        (b"2", Heard.NOISE, "", None, b"3"),
    ],
)
def test_socket_io_packets_are_read(
    packet: bytes, kind: Heard, text: str, number: str | None, reply: bytes | None
) -> None:
    frame = SocketIoDialect().read(packet)
    assert (frame.kind, frame.text, frame.id, frame.reply) == (kind, text, number, reply)


def test_every_peer_is_there_and_can_be_started() -> None:
    found = peers(ROOT / FOLDER)
    names = [peer.name for peer in found]
    assert names == list(tomllib.loads((ROOT / FOLDER / "peers.toml").read_text("utf-8")))
    for peer in found:
        argv = peer.target.command(Node(0, 4711, "redis://127.0.0.1:4712"))
        assert "4711" in argv
        assert not any("{" in word for word in argv)
        apps = [word for word in argv if word.endswith((".js", ".py")) or word.endswith(":app")]
        (app,) = apps
        file = app if "." in app else f"{app.removesuffix(':app')}.py"
        assert (ROOT / FOLDER / file).is_file()


def test_a_folder_without_peers_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"peers.toml: No such file"):
        peers(tmp_path)
    (tmp_path / "peers.toml").write_text("[one]\ntitle = 'no command'\n")
    with pytest.raises(BenchError, match="command"):
        peers(tmp_path)


def outcome(per_s: float, ms: list[float], lost: int = 0) -> Outcome:
    return Outcome(
        target="t",
        shape=Shape(),
        delivered=1,
        per_s=per_s,
        lost=lost,
        doubled=0,
        reordered=0,
        refused={},
        latencies_ms=ms,
        node_cpu_s=1.0,
        broker_cpu_s=1.0,
        load_cpu_s=1.0,
        rss_kib=[1],
    )


def test_the_table_tells_medians_spread_and_ratios() -> None:
    target = flags.target(argparse.Namespace(router="redis", gateway=[]))
    ours, theirs = compare.Rival(target, 2), compare.Rival(target, 2)
    ours.full = [outcome(per_s, []) for per_s in (30.0, 10.0, 20.0)]
    theirs.full = [outcome(per_s, [], lost=1) for per_s in (8.0, 40.0, 10.0)]
    ours.calm, theirs.calm = [outcome(0, [1.0])], [outcome(0, [4.0])]
    first, second = compare.table([ours, theirs], Shape(rate_per_s=500)).rows
    assert first[1:4] == ["20", "10-30", ""]
    assert second[1:4] == ["10", "8-40", "2.00"]
    assert second[4:7] == ["4.00", "4.00-4.00", "0.25"]
    assert list(second[-3:]) == ["3", "0", "0"]
    assert compare.ratio_of([1.0], []) is None
    assert compare.ratio_of([1.0], [0.0]) is None


async def test_a_small_comparison_with_the_plain_design() -> None:
    parser = Parser()
    compare.add_flags(parser)
    flags.add_common(parser)
    words = f"--only plain --rounds 1 {TINY} --rate 100 --users 20"
    given = parser.parse_args([*words.split(), "--peers", str(ROOT / FOLDER)])
    async with asyncio.timeout(100):
        found = await compare.perform(given, Screen())
    assert found.faults == []
    made = record.document("compare", vars(given), machine.facts(), found)
    assert json.loads(record.encoded(made))["numbers"]["compare"]
    assert found.plot is not None
    assert found.plot().startswith(b"\x89PNG")
    ours, plain = found.numbers["compare"]
    assert ours["server"] == "wsgateway"
    for one in (ours, plain):
        assert one["broken"] == []
        assert one["per_s"][0] > 0
        assert one["kib_per_connection"][0] > 0
        assert (one["lost"], one["doubled"], one["reordered"]) == (0, 0, 0)


async def test_an_unknown_peer_is_refused() -> None:
    parser = Parser()
    compare.add_flags(parser)
    flags.add_common(parser)
    given = parser.parse_args(["--only", "nobody", "--peers", str(ROOT / FOLDER)])
    with pytest.raises(BenchError, match=r"'nobody': there are without-ids, plain, socketio-node"):
        await compare.perform(given, Screen())
