"""Clusters as lessons use them: started twice, killed, paused, left open, on a given server."""

import os
import signal
import subprocess
import sys

import pytest
import redis

from wsgateway import lab
from wsgateway.brokers import RedisServer
from wsgateway.errors import WsGatewayError
from wsgateway.lab.loop import shared_loop

LEFT_OPEN = """
import logging
from wsgateway import lab
inside = lab.Cluster("g1"); inside.start()
outside = lab.Cluster("p1", processes=True, name="outside"); outside.start()
inside.user("alice", on="g1"), outside.user("bob", on="p1")
logging.getLogger("wsgateway.gateway").warning("for the logbook")
lab.log(1)
print(outside.processes["p1"].pid)
"""


@pytest.mark.parametrize("processes", [False, True], ids=["kernel", "processes"])
def test_a_message_crosses(processes: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with lab.Cluster("g1", "g2", processes=processes, name="crossing") as cluster:
        alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
        assert alice.send("bob", "hi", trace=True) == "routed"
        message = bob.receive()
        assert (message.from_user, message.content) == ("alice", "hi")
        assert [hop.at for hop in message.trace or ()] == ["g1", "g1", "g2", "g2"]
        assert cluster.redis("HGET", "presence:bob", "gatewayId") == "g2"
        assert alice.send("nobody", "hi") == "offline"
    where = ("each a process", "各是独立进程") if processes else ("in this kernel", "都在本内核里")
    ready = f"Ready: g1, g2, {where[0]}.\n就绪：g1、g2，{where[1]}。\n"
    assert capsys.readouterr().out == ready  # the same each run: no port, no version


def test_a_proxy_set_for_the_laptop_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    with lab.Cluster("g1", name="proxy") as cluster:
        alice = cluster.user("alice", on="g1")
        bare = lab.Bare(cluster, "erin", on="g1")
        assert alice.send("erin", "hi") == "delivered"
        assert bare.frame()["content"] == "hi"
        assert cluster.stats("g1")["connections"]


def test_a_start_cell_may_run_again() -> None:
    first = lab.Cluster("g1", name="again")
    first.start()
    old_url = first.url("g1")
    second = lab.Cluster("g1", name="again")
    second.start()  # would fail with GatewayIdTaken, were the first one still alive
    assert second.url("g1") != old_url
    second.user("alice", on="g1")
    second.start()
    assert second.redis("EXISTS", "presence:alice") == 0
    second.close()
    second.close()


def test_a_paused_process_still_counts_as_a_subscriber() -> None:
    with lab.Cluster("p1", "p2", processes=True, name="paused") as cluster:
        anna, carol = cluster.user("anna", on="p1"), cluster.user("carol", on="p2")
        cluster.processes["p2"].pause()
        try:
            assert anna.send("carol", "are you there?") == "routed"
            assert cluster.waiting(carol) == 0
        finally:
            cluster.processes["p2"].resume()
        assert carol.receive().content == "are you there?"


def test_a_killed_process_is_gone() -> None:
    with lab.Cluster("p1", processes=True, name="killed") as cluster:
        process = cluster.processes["p1"]
        process.kill()
        assert shared_loop().run(process.wait()) == 128 + signal.SIGKILL
        process.close()
        with pytest.raises(WsGatewayError, match="p1 does not run"):
            process.pause()


def test_waiting_for_a_message_has_a_deadline() -> None:
    with lab.Cluster("g1", name="deadline") as cluster:
        alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g1")
        with pytest.raises(TimeoutError):
            bob.receive(timeout_s=0.2)
        assert alice.send("bob", "still here") == "delivered"
        assert bob.receive().content == "still here"


def test_a_kernel_that_ends_leaves_nothing_and_says_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "WSGATEWAY_REDIS"},
    )
    assert ended.stderr == ""
    *_, logged, pid = ended.stdout.splitlines()
    assert logged.endswith("WARNING wsgateway.gateway: for the logbook")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_given_server_is_shared_with_care(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSGATEWAY_REDIS", redis_server.url)
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as other:
        before = set(other.keys())
        with lab.Cluster("g1", name="shared") as cluster:
            cluster.user("alice", on="g1")
            assert cluster.redis("HGET", "presence:alice", "gatewayId") == "g1"
            ours = set(other.keys()) - before
            assert ours
            assert all(key.startswith("lesson-") for key in ours)
        assert set(other.keys()) == before
