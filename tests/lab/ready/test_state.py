"""The cluster as it is, a conversation beside a busy cell, and gateways that do not start."""

import os
import time
from collections.abc import Iterator

import pytest

from wsgateway.client import Status
from wsgateway.errors import WsGatewayError
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.ready import answers, attempt, chat_while, look, planted, plots


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster("g1", "g2", name="ready") as running:
        yield running


def test_a_cluster_in_the_kernel(cluster: Cluster) -> None:
    alice = cluster.user("alice", on="g1")
    try:
        state = look(cluster, "alice", "nobody")
        assert state.gateways == {"g1": os.getpid(), "g2": os.getpid()}
        assert state.connections == {"g1": 1, "g2": 0}
        assert state.homes == {"alice": "g1", "nobody": None}
        assert state.broker.split()[0] in ("Valkey", "Redis")
        assert "网关" in plots.cluster(state).alt
    finally:
        alice.close()


def test_a_cluster_of_processes() -> None:
    with Cluster("p1", "p2", processes=True, name="ready-processes") as running:
        state = look(running)
        assert set(state.gateways) == {"p1", "p2"}
        assert os.getpid() not in state.gateways.values()
        assert "网关" in plots.cluster(state).alt


def test_who_answers() -> None:
    with Cluster("g1", name="ready-answers") as running:
        address = running.url("g1")
        assert answers(address)
    assert not answers(address)


def test_messages_go_on_while_the_cell_sleeps(cluster: Cluster) -> None:
    alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
    try:
        chat = chat_while(alice, bob, lambda: time.sleep(0.5))
        assert chat.until_s - chat.since_s >= 0.5
        assert chat.meanwhile == sum(chat.since_s < at < chat.until_s for at in chat.arrived_s) > 3
        assert "消息" in plots.chat(chat).alt
    finally:
        alice.close()
        bob.close()


def test_the_stop_button_ends_the_conversation_too(cluster: Cluster) -> None:
    alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")

    def stop() -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            chat_while(alice, bob, stop)
        assert alice.send("bob", "after it") == "routed"
        contents = [bob.receive().content for _ in range(1)]
        while contents[-1] == "still there?":
            contents.append(bob.receive().content)
        assert contents[-1] == "after it"
        with pytest.raises(TimeoutError):
            bob.receive(timeout_s=0.2)
    finally:
        alice.close()
        bob.close()


def test_a_conversation_that_breaks_says_so(cluster: Cluster) -> None:
    alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
    with pytest.raises(Exception, match=r"clos|ended|stopp"):
        chat_while(alice, bob, alice.close)
    bob.close()


def test_a_message_that_may_never_arrive_ends_the_conversation(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unheard(to: str, content: str) -> Status:
        return Status.UNKNOWN

    alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
    monkeypatch.setattr(alice.client, "send", unheard)
    with pytest.raises(WsGatewayError, match="ended: unknown"):
        chat_while(alice, bob, lambda: None)
    alice.close()
    bob.close()


def test_a_gateway_names_what_keeps_it_from_starting(cluster: Cluster) -> None:
    gone = attempt({"gateway_id": "g3", "redis": "redis://127.0.0.1:1"})
    assert not gone.ready
    assert gone.said.startswith("Redis at redis://127.0.0.1:1 does not answer")
    faulty = planted(cluster)
    taken = attempt(faulty)
    assert not taken.ready
    assert "address already in use" in taken.said
    mended = attempt({**faulty, "port": 0})
    assert mended.ready
    assert mended.said == ""
    assert shared_loop().alive
