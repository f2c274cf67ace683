"""Looking into a gateway's topic, and watching its lag."""

import pytest

from wsgateway.kafka.topics import PARTITIONS, partition_of
from wsgateway.lab.bare import Bare
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.topic import lag, lag_while_paused, wait_committed, written


def test_what_was_sent_lies_in_the_partition_of_its_user() -> None:
    with Cluster("g1", "g2", router="kafka", name="topic") as cluster:
        alice = cluster.user("alice", on="g1")
        users = [cluster.user(f"user-{n}", on="g2") for n in range(5)]
        for n, user in enumerate(users):
            assert alice.send(user.client.user, f"{n}") == "accepted"
            assert user.receive().content == f"{n}"
        found = written(cluster, "g2")
        assert {(one.user, one.content) for one in found} == {
            (f"user-{n}", f"{n}") for n in range(5)
        }
        for one in found:
            assert one.partition == partition_of(one.user.encode(), PARTITIONS)
        assert written(cluster, "g1") == []


def test_lag_rises_while_a_gateway_is_paused_and_falls_again() -> None:
    with Cluster("g1", "g2", router="kafka", processes=True, name="lag") as cluster:
        alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
        points = lag_while_paused(cluster, "g2", alice, "bob", messages=80, pause_s=0.5)
        assert (points[0].at_s, points[0].lag, points[-1].lag) == (0.0, 0, 0)
        assert max(one.lag for one in points) >= 10
        assert any(one.paused for one in points)
        assert [bob.receive().content for _ in range(80)] == [f"{n}" for n in range(80)]


def test_a_message_for_a_user_who_left_holds_up_the_commit_and_nothing_else() -> None:
    users = ("eve", "carol", "erin")
    assert len({partition_of(user.encode(), PARTITIONS) for user in users}) == 1
    with Cluster("g1", "g2", router="kafka", processes=True, name="commit") as cluster:
        alice = cluster.user("alice", on="g1")
        eve, carol = cluster.user("eve", on="g2"), cluster.user("carol", on="g2")
        with Bare(cluster, "erin", on="g2") as erin:
            assert alice.send("eve", "hi") == "accepted"
            eve.receive()
            wait_committed(cluster, "g2")
            eve.close()
            assert [alice.send(user, "hello") for user in users] == ["accepted"] * 3
            assert carol.receive().content == "hello"
            once = erin.frame()
            assert sorted(lag(cluster, "g2").values()) == [0, 0, 3]
        cluster.processes["g2"].kill()
        cluster.restart("g2")
        with Bare(cluster, "erin", on="g2") as erin:
            assert erin.frame() == once
            assert cluster.user("eve", on="g2").receive().content == "hello"
            alice.send("carol", "after")
            assert carol.receive(timeout_s=30).content == "after"
            assert carol.repeats == 1
            wait_committed(cluster, "g2")


def test_a_bare_user_who_is_refused_hears_why() -> None:
    with Cluster("g1", name="bare") as cluster:
        with pytest.raises(ValueError, match="user id"):
            Bare(cluster, "no such id", on="g1")
        with Bare(cluster, "erin", on="g1") as erin, pytest.raises(TimeoutError):
            erin.frame(timeout_s=0.1)


def test_a_bare_user_sends_and_hears_the_answer() -> None:
    with Cluster("g1", name="sends") as cluster, Bare(cluster, "erin", on="g1") as erin:
        bob = cluster.user("bob", on="g1")
        assert erin.send("bob", "hi")["status"] == "delivered"
        assert bob.receive().content == "hi"
        assert erin.send("nobody", "hi")["status"] == "offline"


def test_a_cluster_on_redis_has_no_topics() -> None:
    with (
        Cluster("g1", name="no-topics") as cluster,
        pytest.raises(ValueError, match="does not run on Kafka"),
    ):
        written(cluster, "g1")


def test_a_restarted_process_is_found_by_its_users() -> None:
    with Cluster("g1", "g2", router="kafka", processes=True, name="again") as cluster:
        alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
        assert alice.send("bob", "before") == "accepted"
        assert bob.receive().content == "before"
        cluster.processes["g2"].kill()
        assert alice.send("bob", "meanwhile") == "accepted"
        cluster.restart("g2")
        assert bob.receive(timeout_s=30).content == "meanwhile"
