"""A Kafka that is given: logged in to, shared with care, and left as it was."""

import pytest

from wsgateway import lab
from wsgateway.brokers import ApacheKafka, TansuServer
from wsgateway.kafka.link import KafkaLink
from wsgateway.lab import servers
from wsgateway.lab.loop import shared_loop


def topics(link: KafkaLink) -> set[str]:
    """Return the names of all topics."""

    async def ask() -> set[str]:
        admin = await link.admin()
        try:
            return set(await admin.list_topics())
        finally:
            await link.close(admin)

    return shared_loop().run(ask())


@pytest.fixture
def given(kafka_server: TansuServer | ApacheKafka, monkeypatch: pytest.MonkeyPatch) -> KafkaLink:
    """Each broker in turn, as `WSGATEWAY_KAFKA` names it."""
    monkeypatch.setenv("WSGATEWAY_KAFKA", kafka_server.address)
    return KafkaLink({"bootstrap_servers": kafka_server.address}, timeout_s=10.0)


@pytest.mark.parametrize("processes", [False, True], ids=["kernel", "processes"])
def test_a_given_kafka_is_shared_with_care(given: KafkaLink, processes: bool) -> None:
    before = topics(given)
    with lab.Cluster("g1", "g2", router="kafka", processes=processes, name="given") as cluster:
        alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
        assert alice.send("bob", "hi") == "accepted"
        assert bob.receive().content == "hi"
        ours = topics(given) - before
        assert f"{cluster.prefix.replace(':', '.')}gateway-g2" in ours
        assert all(name.startswith("lesson-") for name in ours - {"__consumer_offsets"})
    assert topics(given) - {"__consumer_offsets"} == before - {"__consumer_offsets"}


def test_the_crash_experiment_leaves_no_topics(given: KafkaLink) -> None:
    before = topics(given) | {"__consumer_offsets"}
    totals = lab.kill.under_load("kafka", messages=200, kills=1)
    assert totals.arrived == totals.promised == 200
    assert topics(given) <= before


def test_a_login_is_taken_from_the_environment(
    sasl_apache: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "": sasl_apache.address,
        "_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "_SASL_USERNAME": "user",
        "_SASL_PASSWORD": "s3cret",
    }.items():
        monkeypatch.setenv(f"WSGATEWAY_KAFKA{name}", value)
    for processes in (False, True):
        with lab.Cluster("g1", "g2", router="kafka", processes=processes, name="in") as cluster:
            alice, bob = cluster.user("alice", on="g1"), cluster.user("bob", on="g2")
            assert alice.send("bob", "hi") == "accepted"
            assert bob.receive().content == "hi"
            assert [one.content for one in lab.topic.written(cluster, "g2")] == ["hi"]


def test_a_private_kafka_is_started_once() -> None:
    one, other = (shared_loop().run(servers.kafka()) for _ in range(2))
    assert one == other
    assert not one.shared
