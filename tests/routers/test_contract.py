"""What every router promises, whatever carries its envelopes."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw import sending, until

from wsgateway import protocol
from wsgateway.envelope import Carried, encode
from wsgateway.errors import BrokerUnavailable
from wsgateway.fate import Fate, Kept
from wsgateway.protocol import Delivery, Status
from wsgateway.routers.base import Router

ON_ITS_WAY = (Status.ROUTED, Status.ACCEPTED)
MakeRouter = Callable[..., Router]


class Inbox(list[bytes]):
    """Takes everything in."""

    def __call__(
        self, data: bytes, kept: Kept | None = None, *, addressee: str | None = None
    ) -> None:
        self.append(data)
        if kept is not None:
            kept.settle(Fate.DONE)


def envelope(content: str) -> bytes:

    return encode(
        Carried("bob", "alice", "g1", msgspec.Raw(protocol.encode(Delivery("a", content))))
    )


async def test_who_has_started_can_be_reached(make_router: MakeRouter) -> None:
    for n in range(10):
        inbox = Inbox()
        one, two = make_router(f"one{n}"), make_router(f"two{n}")
        await one.start(Inbox())
        await two.start(inbox)
        assert await sending(one, f"two{n}", b"{}", "bob") in ON_ITS_WAY
        await until(lambda: inbox == [b"{}"])  # noqa: B023
        await one.stop()
        await two.stop()


async def test_order_holds_between_each_pair_under_load(make_router: MakeRouter) -> None:
    inbox = Inbox()
    senders = [make_router(f"sender{n}") for n in range(3)]
    receiver = make_router("receiver")
    await receiver.start(inbox)
    for sender in senders:
        await sender.start(Inbox())

    async def stream(n: int, sender: Router) -> None:
        for i in range(2_000):
            sending(sender, "receiver", b'{"n":%d,"i":%d}' % (n, i), f"user-{n}")
            if i % 97 == 0:
                await asyncio.sleep(0)

    await asyncio.gather(*(stream(n, sender) for n, sender in enumerate(senders)))
    await until(lambda: len(inbox) == 6_000)
    for n in range(3):
        mark = b'{"n":%d,' % n
        assert [e for e in inbox if e.startswith(mark)] == [
            b'{"n":%d,"i":%d}' % (n, i) for i in range(2_000)
        ]


async def test_a_gateway_nobody_runs_is_offline(make_router: MakeRouter) -> None:
    router = make_router("g1")
    await router.start(Inbox())
    assert await sending(router, "nobody", b"{}", "bob") is Status.OFFLINE


async def test_a_stopped_gateway_is_offline_or_gets_it_later(make_router: MakeRouter) -> None:
    one, two = make_router("one"), make_router("two")
    await one.start(Inbox())
    await two.start(Inbox())
    await two.stop()
    status = await sending(one, "two", b"late", "bob")
    inbox, successor = Inbox(), make_router("two")
    await successor.start(inbox)
    if status is Status.ACCEPTED:
        await until(lambda: inbox == [b"late"])
    else:
        assert status is Status.OFFLINE
        assert await sending(one, "two", b"next", "bob") in ON_ITS_WAY
        await until(lambda: inbox == [b"next"])


async def test_what_could_not_be_decided_comes_again_where_it_is_kept(
    make_router: MakeRouter,
) -> None:
    seen: list[bytes] = []

    def deliver(data: bytes, kept: Kept | None = None, *, addressee: str | None = None) -> None:
        seen.append(data)
        if kept is not None:
            assert kept.settle(Fate.DONE if seen.count(data) > 2 else Fate.UNKNOWN) is (
                seen.count(data) <= 2
            )

    router = make_router("g1")
    await router.start(deliver)
    for data in (b"1", b"2", b"3"):
        status = await sending(router, "g1", data, "bob")
    if status is Status.ACCEPTED:
        await until(lambda: [seen.count(data) for data in (b"1", b"2", b"3")] == [3, 3, 3])
        last = [len(seen) - seen[::-1].index(data) for data in (b"1", b"2", b"3")]
        assert last == sorted(last), "in order, however often they were offered"
    else:
        await until(lambda: len(seen) == 3)


async def test_a_broadcast_reaches_all_including_oneself(make_router: MakeRouter) -> None:
    inboxes = [Inbox(), Inbox(), Inbox()]
    routers = [make_router(f"g{n}") for n in range(3)]
    for router, inbox in zip(routers, inboxes, strict=True):
        await router.start(inbox)
    fates: list[Status] = []
    routers[0].broadcast_to_all_gateways(b'{"all":1}', fates.append)
    assert fates == [], "never before it returns"
    await until(lambda: fates)
    assert fates[0] in ON_ITS_WAY
    await until(lambda: all(inboxes))
    assert inboxes == [[b'{"all":1}']] * 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=40))
async def test_bytes_pass_through_untouched(make_router: MakeRouter, texts: list[str]) -> None:
    inbox = Inbox()
    router = make_router("g1")
    await router.start(inbox)
    sent = [envelope(text) for text in texts]
    await asyncio.gather(*(sending(router, "g1", one, "bob") for one in sent))
    await until(lambda: len(inbox) >= len(sent))
    await router.stop()
    assert inbox == sent


@pytest.mark.parametrize("size", [1, 4 << 10, 64 << 10])
async def test_many_at_once_arrive_as_many(make_router: MakeRouter, size: int) -> None:
    inbox = Inbox()
    router = make_router("g1")
    await router.start(inbox)
    sent = [envelope(f"{n} " + "ñ" * (size // 2)) for n in range(50)]
    for one in sent:
        sending(router, "g1", one, "bob")
    await until(lambda: len(inbox) == len(sent))
    assert inbox == sent


async def test_stop_fails_what_waits_and_can_be_repeated(make_router: MakeRouter) -> None:
    router, other = make_router("g1"), make_router("g2")
    await router.start(Inbox())
    await other.start(Inbox())
    waiting = [sending(router, "g2", b"{}", "bob") for _ in range(100)]
    await router.stop()
    await router.stop()
    late = sending(router, "g2", b"{}", "bob")
    for fate in await asyncio.wait_for(asyncio.gather(*waiting, late), 10):
        assert fate in (*ON_ITS_WAY, Status.UNKNOWN)
    assert late.result() is Status.UNKNOWN
    assert not router.health().ok


async def test_start_says_when_there_is_no_broker(make_router: MakeRouter) -> None:
    router = make_router("g1", dead=True)
    with pytest.raises(BrokerUnavailable):
        await router.start(Inbox())
    health = router.health()
    assert not health.ok
    assert health.why


async def test_a_started_router_is_healthy(make_router: MakeRouter) -> None:
    router = make_router("g1")
    await router.start(Inbox())
    assert router.health().ok
    assert router.health().why is None


async def test_one_bad_envelope_does_not_deafen_it(make_router: MakeRouter) -> None:
    inbox = Inbox()

    def deliver(data: bytes, kept: Kept | None = None, *, addressee: str | None = None) -> None:
        if data == b"bad":
            raise ValueError("no envelope of ours")
        inbox(data, kept)

    router = make_router("g1")
    await router.start(deliver)
    for data in (b"bad", b"good", b"bad", b"better"):
        sending(router, "g1", data, "bob")
    await until(lambda: len(inbox) == 2)
    assert inbox == [b"good", b"better"]
