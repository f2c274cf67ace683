"""What a router that remembers is told about each envelope: when, once, and only what is so."""

from collections.abc import Callable

import msgspec
import pytest
from sim import SimCluster, SimGateway, SimSocket, spin

from wsgateway.envelope import (
    Carried,
    Envelope,
    Fence,
    Fenced,
    Moved,
    Replaced,
    Undelivered,
    decode,
    encode,
)
from wsgateway.errors import Overloaded
from wsgateway.fate import Fate
from wsgateway.presence.base import Owner
from wsgateway.protocol import Status


class Letter:
    """An envelope that a log keeps as long as `patient`; notes what it is told."""

    def __init__(self, *, patient: bool = True) -> None:
        self.patient = patient
        self.fates: list[Fate] = []
        self.is_wanted = True
        self.is_repeated = False
        self.recall: Callable[[], None] | None = None

    def wanted(self) -> bool:
        return self.is_wanted

    def again(self) -> bool:
        return self.is_repeated

    def waits(self, recall: Callable[[], None]) -> None:
        self.recall = recall

    def settle(self, fate: Fate) -> bool:
        self.fates.append(fate)
        return self.patient and fate in (Fate.OFFLINE, Fate.UNKNOWN)


def message(frame_id: str, *path: str, origin: str = "g2") -> Carried:
    frame = msgspec.Raw(b'{"content":"%s"}' % frame_id.encode())
    return Carried("bob", "alice", origin, frame, path=list(path), id=frame_id)


def arrive(
    gateway: SimGateway,
    envelope: Envelope,
    *,
    patient: bool = True,
    addressee: str | None = None,
) -> Letter:
    letter = Letter(patient=patient)
    gateway.delivery.receive(encode(envelope), letter, addressee=addressee)
    return letter


def said(gateway: SimGateway) -> list[tuple[str, Envelope]]:
    """What `gateway` has yet to publish, and where to."""
    return [(to, decode(envelope)) for to, envelope, _ in gateway.publishing]


async def at_home() -> tuple[SimCluster, SimGateway, SimSocket]:
    """Bob is connected to g1."""
    cluster = SimCluster(2)
    cluster["g1"].register("bob")
    await cluster.settle()
    socket = cluster["g1"].hub.connection_of("bob")
    assert socket is not None
    return cluster, cluster["g1"], socket


async def ask(gateway: SimGateway) -> None:
    """Presence answers all questions."""
    while gateway.asking:
        gateway.answer()
        await spin()


async def test_garbage_is_malformed_and_old_news_is_done() -> None:
    _, gateway, _ = await at_home()
    garbage = Letter()
    gateway.delivery.receive(b"garbage", garbage)
    assert garbage.fates == [Fate.MALFORMED]
    for envelope in (
        Replaced("bob", "a connection of an earlier life"),
        Moved("nobody"),
        Fenced("bob", 42),
        Undelivered("nobody", "bob", "m1"),
    ):
        assert arrive(gateway, envelope).fates == [Fate.DONE]
    assert gateway.hub.connection_of("bob") is not None
    assert not gateway.publishing


async def test_done_means_written_for_a_repeat_too() -> None:
    cluster, gateway, socket = await at_home()
    first, repeat = (arrive(gateway, message("m1")) for _ in range(2))
    assert first.fates == repeat.fates == []
    socket.write()
    assert (first.fates, repeat.fates) == ([Fate.DONE], [])
    socket.write()
    assert repeat.fates == [Fate.DONE]
    assert len(cluster.wires["bob"]) == 1


async def test_what_is_kept_is_reported_to_nobody_until_it_is_given_up() -> None:
    gateway = SimCluster(1)["g1"]
    kept = arrive(gateway, message("m1"))
    await ask(gateway)
    assert kept.fates == [Fate.OFFLINE]
    assert (gateway.stats.undelivered, said(gateway)) == (0, [])
    given_up = arrive(gateway, message("m1"), patient=False)
    await ask(gateway)
    assert given_up.fates == [Fate.OFFLINE]
    assert gateway.stats.undelivered == 1
    assert said(gateway) == [("g2", Undelivered("alice", "bob", "m1", Status.OFFLINE))]


async def test_what_was_cut_in_the_middle_of_its_write_goes_first_to_the_next_connection() -> None:
    cluster, gateway, socket = await at_home()
    letters = [arrive(gateway, message(f"m{n}")) for n in range(3)]
    _, on_written = socket.outbox.popleft()
    gateway.vanish("bob")
    assert on_written is not None
    on_written(Status.UNKNOWN)
    gateway.register("bob")
    await cluster.settle()
    assert [bytes(frame)[-4:-2] for frame in cluster.wires["bob"]] == [b"m0", b"m1", b"m2"]
    assert [one.fates for one in letters] == [[Fate.DONE]] * 3


async def test_what_was_cut_ends_as_unknown_where_nothing_is_kept() -> None:
    _, gateway, socket = await at_home()
    gateway.delivery.receive(encode(message("m1")))
    _, on_written = socket.outbox.popleft()
    gateway.vanish("bob")
    assert on_written is not None
    on_written(Status.UNKNOWN)
    assert said(gateway) == [("g2", Undelivered("alice", "bob", "m1", Status.UNKNOWN))]


async def test_passed_on_is_done_once_the_broker_has_it() -> None:
    cluster = SimCluster(2)
    gateway = cluster["g1"]
    cluster.records["bob"] = Owner("g2", "c", 1)
    letter = arrive(gateway, message("m1", origin="g3"))
    await ask(gateway)
    assert [to for to, _ in said(gateway)] == ["g2"]
    assert letter.fates == []
    gateway.publish()
    await spin()
    assert letter.fates == [Fate.DONE]
    assert said(gateway) == [("g3", Moved("bob"))]


async def test_mail_of_a_dead_gateway_never_goes_back_to_it() -> None:
    cluster = SimCluster(1)
    cluster.records["bob"] = Owner("dead", "c", 1)
    letter = arrive(cluster["g1"], message("m1"), addressee="dead")
    await ask(cluster["g1"])
    assert letter.fates == [Fate.OFFLINE]
    assert said(cluster["g1"]) == []


async def test_a_fence_is_done_once_its_answer_is_on_its_way() -> None:
    gateway = SimCluster(2)["g1"]
    letter = arrive(gateway, Fence("bob", "g2", "g2", 7))
    await ask(gateway)
    assert said(gateway) == [("g2", Fenced("bob", 7))]
    assert letter.fates == []
    gateway.publish()
    await spin()
    assert letter.fates == [Fate.DONE]


async def test_a_fence_whose_answer_could_not_leave_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = SimCluster(2)["g1"]

    def full(*_: object) -> None:
        raise Overloaded("full")

    monkeypatch.setattr(gateway, "route_to_gateway", full)
    letter = arrive(gateway, Fence("bob", "g2", "g2", 7))
    await ask(gateway)
    assert letter.fates == [Fate.UNKNOWN]


async def test_a_fence_stays_behind_what_has_gone_back() -> None:
    _, gateway, socket = await at_home()
    letter = arrive(gateway, Fence("bob", "g2", "g2", 7))
    letter.is_wanted = False
    socket.write()
    assert letter.fates == [Fate.UNKNOWN]
    assert said(gateway) == []


async def test_a_gateway_that_stops_leaves_it_undecided() -> None:
    gateway = SimCluster(1)["g1"]
    letter = arrive(gateway, message("m1"))
    gateway.delivery.lanes.aclose()
    assert letter.fates == [Fate.UNKNOWN]
    assert said(gateway) == []
