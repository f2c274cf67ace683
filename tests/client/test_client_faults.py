"""The client against a scripted gateway: every fault happens exactly when the test says so."""

import asyncio
import os
import re
from dataclasses import replace
from errno import ECONNREFUSED
from http import HTTPStatus

import pytest
from scripted_gateway import QUICK, Scripted, Socket, joined

from wsgateway.client import (
    Client,
    ClientClosed,
    Connected,
    Disconnected,
    Event,
    GatewayUnreachable,
    LateFailure,
    Message,
    Options,
    RegisterRefused,
    Replaced,
    Retrying,
    SendRefused,
    Status,
    Unreachable,
)
from wsgateway.errors import CloseCode, ConfigError


async def test_entering_waits_until_registered(gateway: Scripted) -> None:
    client = Client("alice", gateway.url, options=QUICK)
    starting = asyncio.create_task(client.start())
    socket = await gateway.accept()
    assert await socket.frame() == {"type": "register", "userId": "alice"}
    assert not client.connected
    assert not starting.done()
    await socket.say(
        type="register", userId="alice", connId="c1", gatewayId="g1", heartbeatMs=1000, new=True
    )
    await starting
    assert (client.connected, client.gateway_id, client.conn_id) == (True, "g1", "c1")
    await client.aclose()
    assert not client.connected
    await socket.ws.wait_closed()
    assert socket.ws.close_code == 1000


async def test_a_message_arrives_whole(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        hop = {"at": "g1", "stage": "received", "us": 7}
        await socket.say(type="message", content="你好", **{"from": "bob"})
        await socket.say(type="message", content="x", id="i", trace=[hop], **{"from": "bob"})
        first, second = await anext(client), await anext(client)
    assert (first.from_user, first.content, first.id, first.trace) == ("bob", "你好", None, None)
    assert second.trace is not None
    assert [(one.at, one.stage, one.us) for one in second.trace] == [("g1", "received", 7)]
    assert second.received_us > 0


async def test_iteration_ends_when_the_client_is_left(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        await socket.say(type="message", content="last", **{"from": "bob"})
        first = await anext(client)
        assert first.content == "last"
    assert [message async for message in client] == []
    with pytest.raises(ClientClosed):
        await client.send("bob", "too late")
    with pytest.raises(ClientClosed):
        await client.start()


async def test_send_returns_the_status(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        for status in (Status.DELIVERED, Status.ROUTED, Status.ACCEPTED, Status.OFFLINE):
            sending = asyncio.create_task(client.send("bob", "hi", trace=True))
            frame = await socket.message()
            message_id = frame.pop("id")
            assert frame == {"type": "message", "to": "bob", "content": "hi", "trace": True}
            await socket.ack(message_id, status)
            assert await sending is status


async def test_sends_at_once_are_written_in_order(gateway: Scripted) -> None:
    async with joined(gateway, window=8) as (client, socket):
        sending = [asyncio.create_task(client.send("bob", str(n))) for n in range(40)]
        for n in range(40):
            frame = await socket.message()
            assert frame["content"] == str(n)
            await socket.ack(frame["id"], "delivered")
        assert set(await asyncio.gather(*sending)) == {Status.DELIVERED}


async def test_at_most_a_window_is_under_way(gateway: Scripted) -> None:
    async with joined(gateway, window=3, heartbeat_ms=50) as (client, socket):
        sending = [asyncio.create_task(client.send("bob", str(n))) for n in range(4)]
        written = [await socket.message() for _ in range(3)]
        # A ping comes after all that could be written.
        for _ in range(2):
            assert await socket.frame() == {"type": "ping"}
            await socket.say(type="pong")
        await socket.ack(written[0]["id"], "delivered")
        written.append(await socket.message())
        for frame in written:
            await socket.ack(frame["id"], "delivered")
        await asyncio.gather(*sending)


async def test_unknown_and_unavailable_are_retried_with_the_same_id(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        sending = asyncio.create_task(client.send("bob", "hi", id="my-id"))
        assert (await socket.message())["id"] == "my-id"
        await socket.ack("my-id", "unknown")
        assert (await socket.message())["id"] == "my-id"
        for code in ("unavailable", "overloaded", "unknown"):
            await socket.say(type="error", code=code, message="not now", replyTo="my-id")
            assert (await socket.message())["id"] == "my-id"
        await socket.ack("my-id", "delivered")
        assert await sending is Status.DELIVERED


async def test_an_answer_that_does_not_come_is_asked_for_again(gateway: Scripted) -> None:
    async with joined(gateway, answer_timeout_s=0.05) as (client, socket):
        sending = asyncio.create_task(client.send("bob", "hi"))
        first, second = await socket.message(), await socket.message()
        assert first == second
        await socket.ack(first["id"], "delivered")
        assert await sending is Status.DELIVERED


async def test_a_send_that_hears_nothing_is_unknown(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        assert await client.send("bob", "hi", timeout_s=0.05) is Status.UNKNOWN
        # The ack of a message given up is no news to anybody.
        await socket.ack((await socket.message())["id"], "delivered")
        sending = asyncio.create_task(client.send("bob", "next"))
        await socket.ack((await socket.message())["id"], "routed")
        assert await sending is Status.ROUTED


async def test_sends_under_way_when_the_client_is_left_are_unknown(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        sending = asyncio.create_task(client.send("bob", "hi"))
        await socket.message()
    assert await sending is Status.UNKNOWN


async def test_a_refused_send_raises(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        sending = asyncio.create_task(client.send("alice", "hi", id="m"))
        await socket.message()
        await socket.say(type="error", code="to_self", message="to oneself", replyTo="m")
        with pytest.raises(SendRefused, match="to_self: to oneself") as refused:
            await sending
        assert refused.value.code == "to_self"


async def test_what_a_gateway_could_not_answer_is_refused_here(gateway: Scripted) -> None:
    async with joined(gateway) as (client, _):
        with pytest.raises(SendRefused, match="bad_id"):
            await client.send("bob", "hi", id="no spaces")
        with pytest.raises(SendRefused, match="too_big"):
            await client.send("bob", "x" * 65_536)
        with pytest.raises(ValueError, match="surrogates"):
            await client.send("bob", "\ud800")
        first = asyncio.create_task(client.send("bob", "hi", id="twice"))
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="twice"):
            await client.send("bob", "hi", id="twice")
        first.cancel()


@pytest.mark.parametrize("status", [Status.ROUTED, Status.ACCEPTED])
async def test_a_late_failure_is_an_event(gateway: Scripted, status: Status) -> None:
    events: list[Event] = []
    async with joined(gateway, events=events) as (client, socket):
        sending = asyncio.create_task(client.send("bob", "hi", id="m"))
        await socket.message()
        await socket.ack("m", status)
        assert await sending is status
        await socket.say(type="error", code="offline", message="gone", replyTo="m")
        await socket.say(type="message", content="after", **{"from": "bob"})
        await anext(client)
    assert events[-1] == LateFailure("m", "offline")


async def test_garbage_is_ignored(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        await socket.ws.send("not json")
        await socket.ws.send(b"\xff\x00")
        await socket.say(type="from-the-future")
        await socket.say(type="ack", id="m", status="teleported")
        await socket.say(type="error", code="bad_frame", message="no replyTo")
        await socket.say(type="message", content="fine", **{"from": "bob"})
        assert (await anext(client)).content == "fine"


async def test_repeats_are_suppressed_also_across_gateways(gateway: Scripted) -> None:
    async with Scripted() as other, joined(gateway, other) as (client, socket):
        await socket.say(type="message", content="one", id="1", **{"from": "bob"})
        assert (await anext(client)).content == "one"
        assert client.duplicates == 0
        socket.cut()
        socket = await (await other.accept()).registered("g2")
        await socket.say(type="message", content="one", id="1", **{"from": "bob"})
        await socket.say(type="message", content="other", id="1", **{"from": "carol"})
        assert (await anext(client)).content == "other"
        assert client.duplicates == 1


async def test_a_replay_after_a_crash_is_handed_out_once_and_in_order(gateway: Scripted) -> None:
    """A gateway that was killed offers again what it had written and not yet noted as done."""
    async with joined(gateway) as (client, socket):
        for n in range(100):
            await socket.say(type="message", content=f"{n}", id=f"{n}", **{"from": "bob"})
        assert [(await anext(client)).content for _ in range(60)] == [str(n) for n in range(60)]
        socket.cut()  # 40 wait in the inbox
        socket = await (await gateway.accept()).registered()
        for n in range(50, 150):
            await socket.say(type="message", content=f"{n}", id=f"{n}", **{"from": "bob"})
        rest = [(await anext(client)).content for _ in range(90)]
        assert rest == [str(n) for n in range(60, 150)]
        assert (client.duplicates, client.waiting) == (50, 0)


async def test_messages_without_an_id_are_never_repeats(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        for _ in range(2):
            await socket.say(type="message", content="ha", **{"from": "bob"})
        assert [(await anext(client)).content for _ in range(2)] == ["ha", "ha"]
        assert client.duplicates == 0


async def test_a_cut_connection_moves_on_and_resends_in_order(gateway: Scripted) -> None:
    events: list[Event] = []
    async with Scripted() as other, joined(gateway, other, events=events) as (client, socket):
        sending = [asyncio.create_task(client.send("bob", str(n))) for n in range(5)]
        written = [await socket.message() for _ in range(5)]
        await socket.ack(written[0]["id"], "delivered")
        assert await sending[0] is Status.DELIVERED
        socket.cut()
        socket = await (await other.accept()).registered("g2", user="alice")
        again = [await socket.message() for _ in range(4)]
        assert again == written[1:]
        for frame in again:
            await socket.ack(frame["id"], "delivered")
        assert set(await asyncio.gather(*sending)) == {Status.DELIVERED}
        assert client.gateway_id == "g2"
        first, lost, retrying, second = events
        assert first == Connected("g1", gateway.url)
        assert isinstance(lost, Disconnected)
        assert lost.code == 1006
        assert isinstance(retrying, Retrying)
        assert retrying.url == other.url
        assert second == Connected("g2", other.url)


async def test_a_send_made_while_disconnected_goes_out_later(gateway: Scripted) -> None:
    async with Scripted() as other, joined(gateway, other) as (client, socket):
        socket.cut()
        second = await other.accept()  # connected, not registered yet
        sending = asyncio.create_task(client.send("bob", "hi"))
        await second.registered("g2")
        await second.ack((await second.message())["id"], "delivered")
        assert await sending is Status.DELIVERED


async def test_a_draining_gateway_is_left_after_its_hint(gateway: Scripted) -> None:
    events: list[Event] = []
    async with Scripted() as other, joined(gateway, other, events=events) as (client, socket):
        await socket.close(CloseCode.RESTART, "reconnectMs=40")
        second = await (await other.accept()).registered("g2")
        await second.say(type="message", content="moved", **{"from": "bob"})
        await anext(client)
    assert events[1] == Disconnected(1012, "reconnectMs=40")
    retrying = events[2]
    assert isinstance(retrying, Retrying)
    assert retrying.url == other.url
    assert retrying.delay_s <= 0.04


async def test_replaced_ends_everything(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):
        sending = asyncio.create_task(client.send("bob", "hi"))
        await socket.message()
        await socket.say(type="message", content="last words", **{"from": "bob"})
        await socket.close(CloseCode.REPLACED)
        assert (await anext(client)).content == "last words"
        with pytest.raises(Replaced, match="alice registered elsewhere"):
            await anext(client)
        with pytest.raises(Replaced):
            await sending
        with pytest.raises(Replaced):
            await client.send("bob", "again")
        assert not client.connected


@pytest.mark.parametrize("code", [c for c in CloseCode if not c.terminal])
async def test_every_other_close_code_reconnects(gateway: Scripted, code: CloseCode) -> None:
    async with joined(gateway) as (client, socket):
        await socket.close(code)
        again = await gateway.accept()
        await again.registered("g1b")
        await again.say(type="message", content="back", **{"from": "bob"})
        assert (await anext(client)).content == "back"
        assert client.gateway_id == "g1b"


async def test_a_silent_gateway_is_left(gateway: Scripted) -> None:
    """It is paused: the socket is open, and nothing comes."""
    events: list[Event] = []
    async with (
        Scripted() as other,
        joined(gateway, other, heartbeat_ms=30, events=events) as (client, socket),
    ):
        assert await socket.frame() == {"type": "ping"}
        second = await (await other.accept()).registered("g2")
        await second.say(type="message", content="moved", **{"from": "bob"})
        assert (await anext(client)).content == "moved"
    assert events[1] == Disconnected(1006, "it stopped answering pings")


async def test_a_gateway_that_answers_pings_is_kept(gateway: Scripted) -> None:
    events: list[Event] = []
    async with joined(gateway, heartbeat_ms=100, events=events) as (_, socket):
        for _ in range(8):  # far more than the pings it would wait for an answer
            assert await socket.frame() == {"type": "ping"}
            await socket.say(type="pong")
    assert [type(event) for event in events] == [Connected]


@pytest.mark.parametrize("code", ["unavailable", "overloaded"])
async def test_a_registration_that_fails_for_now_goes_elsewhere(
    gateway: Scripted, code: str
) -> None:
    events: list[Event] = []
    async with Scripted() as other:
        client = Client("alice", [gateway.url, other.url], on_event=events.append, options=QUICK)
        starting = asyncio.create_task(client.start())
        socket = await gateway.accept()
        await socket.frame()
        await socket.say(type="error", code=code, message="no Redis")
        await (await other.accept()).registered("g2")
        await starting
        await client.aclose()
    assert events[0] == Unreachable(gateway.url, f"{code}: no Redis")


async def test_a_registration_refused_for_good_raises(gateway: Scripted) -> None:
    client = Client("alice", gateway.url, options=QUICK)
    starting = asyncio.create_task(client.start())
    socket = await gateway.accept()
    await socket.frame()
    await socket.say(type="error", code="bad_user_id", message="no")
    with pytest.raises(RegisterRefused, match="bad_user_id"):
        await starting


async def test_replaced_while_registering_is_replaced(gateway: Scripted) -> None:
    client = Client("alice", gateway.url, options=QUICK)
    starting = asyncio.create_task(client.start())
    await (await gateway.accept()).close(CloseCode.REPLACED)
    with pytest.raises(Replaced):
        await starting


async def test_a_gateway_that_does_not_answer_the_registration_is_left(gateway: Scripted) -> None:
    options = Options(open_timeout_s=0.2, backoff_base_s=0.01)
    async with Scripted() as other:
        client = Client("alice", [gateway.url, other.url], options=options)
        starting = asyncio.create_task(client.start())
        await gateway.accept()
        await (await other.accept()).registered("g2")
        await starting
        assert client.gateway_id == "g2"
        await client.aclose()


async def test_no_gateway_at_all_is_a_clear_error(unused_tcp_port: int) -> None:
    url = f"ws://127.0.0.1:{unused_tcp_port}/ws"
    options = Options(connect_timeout_s=0.2, backoff_base_s=0.01)
    text = f"no gateway answered within 0.2 s; last tried {url}: {os.strerror(ECONNREFUSED)}"
    with pytest.raises(GatewayUnreachable, match=f"^{re.escape(text)}$"):
        async with Client("alice", url, options=options):
            pytest.fail("entered")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (HTTPStatus.NOT_FOUND, "HTTP 404 Not Found; a gateway's path is /ws"),
        (HTTPStatus.UNAUTHORIZED, "HTTP 401 Unauthorized"),
    ],
)
async def test_an_address_without_a_gateway_is_not_asked_for_ever(
    status: HTTPStatus, text: str
) -> None:
    async with Scripted(no=status) as one, Scripted(no=status) as two:
        client = Client("alice", [one.url, two.url], options=QUICK)
        with pytest.raises(GatewayUnreachable, match=f"^no gateway at {two.url}: {text}$"):
            await client.start()
        assert (one.refusals.qsize(), two.refusals.qsize()) == (1, 1)


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
async def test_what_may_pass_is_asked_again(gateway: Scripted, status: HTTPStatus) -> None:
    gateway.no = status
    client = Client("alice", gateway.url, options=QUICK)
    starting = asyncio.create_task(client.start())
    for _ in range(3):
        await gateway.refusals.get()
    gateway.no = None
    await (await gateway.accept()).registered()
    await starting
    await client.aclose()


async def test_one_wrong_address_does_not_end_it(gateway: Scripted) -> None:
    async with Scripted(no=HTTPStatus.NOT_FOUND) as wrong:
        client = Client("alice", [wrong.url, gateway.url], options=QUICK)
        starting = asyncio.create_task(client.start())
        await (await gateway.accept()).registered()
        await starting
        assert client.gateway_id == "g1"
        await client.aclose()


async def test_a_404_where_a_gateway_has_been_is_asked_again(gateway: Scripted) -> None:
    """A load balancer says so while it reloads."""
    async with joined(gateway) as (client, socket):
        gateway.no = HTTPStatus.NOT_FOUND
        socket.cut()
        for _ in range(3):
            await gateway.refusals.get()
        gateway.no = None
        socket = await (await gateway.accept()).registered()
        await socket.say(type="message", content="back", **{"from": "bob"})
        assert (await anext(client)).content == "back"


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (CloseCode.REGISTER_TIMEOUT, "too late", "too late (close code 4003)"),
        (CloseCode.INTERNAL_ERROR, "", "it closed the connection (close code 1011)"),
        (CloseCode.RESTART, "reconnectMs=20", "it is shutting down (close code 1012)"),
        (None, "", "the connection broke (close code 1006)"),
    ],
)
async def test_why_it_could_not_register(
    gateway: Scripted, code: CloseCode | None, reason: str, text: str
) -> None:
    events: list[Event] = []
    client = Client("alice", gateway.url, on_event=events.append, options=QUICK)
    starting = asyncio.create_task(client.start())
    socket = await gateway.accept()
    if code is None:
        socket.cut()
    else:
        await socket.close(code, reason)
    await (await gateway.accept()).registered()
    await starting
    await client.aclose()
    assert events[0] == Unreachable(gateway.url, text)


async def test_a_gateway_that_says_nothing_is_worded(gateway: Scripted) -> None:
    events: list[Event] = []
    options = replace(QUICK, open_timeout_s=0.1, connect_timeout_s=0.3)
    client = Client("alice", gateway.url, on_event=events.append, options=options)
    with pytest.raises(GatewayUnreachable, match=r"last tried .*: no answer within 0.1 s$"):
        await client.start()
    assert events[0] == Unreachable(gateway.url, "no answer within 0.1 s")


def test_bad_arguments_are_refused_before_connecting() -> None:
    for user in ("", "a b", "x" * 65, "你", "a\n"):
        with pytest.raises(RegisterRefused, match="bad_user_id"):
            Client(user, "ws://localhost/ws")
    with pytest.raises(ConfigError):
        Client("alice", "http://localhost/ws")


async def test_a_bug_in_on_event_is_not_swallowed(gateway: Scripted) -> None:
    def broken(event: Event) -> None:
        if isinstance(event, LateFailure):
            raise ZeroDivisionError("in on_event")

    client = Client("alice", gateway.url, on_event=broken, options=QUICK)
    starting = asyncio.create_task(client.start())
    socket = await (await gateway.accept()).registered()
    await starting
    await socket.say(type="error", code="offline", message="gone", replyTo="m")
    with pytest.raises(ExceptionGroup) as caught:
        await anext(client)
    assert caught.group_contains(ZeroDivisionError)
    with pytest.raises(ExceptionGroup):
        await client.aclose()


async def test_a_slow_application_stops_the_reader_and_loses_nothing(gateway: Scripted) -> None:
    events: list[Event] = []
    async with joined(gateway, inbox=4, heartbeat_ms=100, events=events) as (client, socket):
        content = "x" * 30_000
        total = 2_000

        async def flood() -> None:
            for n in range(total):
                await socket.say(type="message", content=content, id=f"{n}", **{"from": "bob"})

        flooding = asyncio.create_task(flood())
        # Far longer than the heartbeat timeout: unread pongs are not held against the gateway.
        for _ in range(6):
            assert await socket.frame() == {"type": "ping"}
        assert not flooding.done(), "60 MB went somewhere: the reader did not stop"
        for n in range(total):
            assert (await anext(client)).id == str(n)
        await flooding
    assert [type(event) for event in events] == [Connected]


async def test_a_send_from_inside_the_iteration_gets_its_ack(gateway: Scripted) -> None:
    """An echo: the ack lies behind more messages than the inbox holds."""
    async with joined(gateway, inbox=4) as (client, socket):

        async def echo() -> list[Status]:
            answers = []
            async for message in client:
                answers.append(await client.send("bob", message.content))
                if len(answers) == 12:
                    break
            return answers

        for n in range(12):
            await socket.say(type="message", content=f"{n}", **{"from": "bob"})
        echoing = asyncio.create_task(echo())
        for n in range(12):
            frame = await socket.message()
            assert frame["content"] == str(n)
            await socket.ack(frame["id"], "delivered")
        assert await echoing == [Status.DELIVERED] * 12


async def test_several_consumers_share_the_messages(gateway: Scripted) -> None:
    async with joined(gateway) as (client, socket):

        async def take() -> Message:
            return await anext(client)

        taking = [asyncio.create_task(take()) for _ in range(3)]
        for n in range(3):
            await socket.say(type="message", content=f"{n}", **{"from": "bob"})
        assert {message.content for message in await asyncio.gather(*taking)} == {"0", "1", "2"}


async def test_a_cancelled_entry_leaves_nothing_behind(gateway: Scripted) -> None:
    client = Client("alice", gateway.url, options=QUICK)
    starting = asyncio.create_task(client.start())
    socket: Socket = await gateway.accept()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await socket.ws.wait_closed()
    with pytest.raises(ClientClosed):
        await client.send("bob", "hi")
