"""Real gateways that die under real clients: a few of them, so that it is quick."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from wsgateway.brokers import RedisServer
from wsgateway.errors import WsGatewayError
from wsgateway.lab.reconnect import live
from wsgateway.lab.reconnect.crowd import Job
from wsgateway.lab.reconnect.group import Group
from wsgateway.lab.reconnect.policies import POLICIES
from wsgateway.lab.reconnect.stage import Stage
from wsgateway.presence.base import presence_key


async def test_a_killed_gateway_is_replaced_and_presence_heals(redis_server: RedisServer) -> None:
    names = ["fixed", "full jitter"]
    account = await live.restart(redis_server.url, "a broker", names, 20, 1)
    assert list(account.storms) == names
    assert account.codes == {name: {"1006": 20} for name in names}
    assert account.up_s is not None
    assert account.up_s > 1.0
    for name, storm in account.storms.items():
        assert storm.recovered
        assert storm.attempts_each > 1, "the first attempts found nobody"
        assert account.looks[0].live[name] == 20
        assert account.most_dead(name) == 20
        assert account.healed_s(name) > 1.0, "nobody can register before there is a replacement"
    assert account.storms["fixed"].peak(1.0) == 20


async def test_a_drained_gateway_leaves_no_wrong_record(redis_server: RedisServer) -> None:
    account = await live.part(redis_server.url, "a broker", 40, 1)
    assert account.codes == {"crash": {"1006": 40}, "drain": {"1012": 40}}
    assert account.most_dead("crash") > 0
    assert account.most_dead("drain") == 0
    for storm in account.storms.values():
        assert storm.recovered
        assert len(storm.attempts) == 40, "the survivor took everyone at the first attempt"


async def test_cancelled_it_leaves_nothing_behind(redis_server: RedisServer) -> None:
    ours = psutil.Process()
    before = set(ours.children(recursive=True))
    living = asyncio.create_task(live.restart(redis_server.url, "a broker", list(POLICIES), 10, 1))
    while len(set(ours.children(recursive=True)) - before) < 10:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10.0):
            await living
    left = set(ours.children(recursive=True)) - before
    assert psutil.wait_procs(left, timeout=30)[1] == []


async def test_clients_that_cannot_connect_say_why() -> None:
    nobody = Job("nobody", 1, ["http://127.0.0.1:1/ws"], None, 1)
    with pytest.raises(WsGatewayError, match=r"the clients of nobody: .*127\.0\.0\.1:1"):
        async with Group(nobody):
            pass


@pytest.mark.timeout(180)
def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    command = [sys.executable, "-m", "wsgateway.lab.reconnect"]
    told = subprocess.run(
        [*command, "--clients", "4", "--markdown", str(page)],
        capture_output=True, check=True, text=True, timeout=150,
    )  # fmt: skip
    assert told.stdout == ""
    text = page.read_text("utf-8")
    assert f"`python -m wsgateway.lab.reconnect --markdown {page}`" in text
    for policy in POLICIES.values():
        assert text.count(f"| {policy.name} / {policy.zh} |") == 2
    assert "| crash (SIGKILL) / 崩溃 | 1006 |" in text
    assert "| drain (SIGTERM) / 排空 | 1012 |" in text
    assert "Valkey" in text or "Redis" in text


async def test_a_record_is_judged_by_who_was_alive_when_it_was_asked_for(
    redis_server: RedisServer,
) -> None:
    """A gateway that drains removes its records, then ends, maybe before the answer is here."""
    async with Stage(redis_server.url, "any", seed=1) as stage:
        stage._groups = [
            cast(Any, SimpleNamespace(job=SimpleNamespace(group="drain", users=["u"])))
        ]
        key = presence_key(stage._prefix, "u")
        await stage._redis.hset(key, "gatewayId", "g2")
        stage.live.add("g2")
        looking = asyncio.create_task(stage._look())
        await asyncio.sleep(0)  # it has asked
        stage.live.discard("g2")
        look = await looking
        await stage._redis.delete(key)
    assert (look.live, look.dead) == ({"drain": 1}, {"drain": 0})
