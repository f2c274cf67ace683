"""What a live gateway does with repeats, odd envelopes, failures of its own, and re-announcing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from raw import close_code, hear, http_get, opened, say, serves, session, until
from redis.asyncio import Redis

from wsgateway import sessions
from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.errors import CloseCode, RedisUnavailable
from wsgateway.gateway import Gateway
from wsgateway.presence.base import Refresh
from wsgateway.websocket import WebSocket

GOOD = (
    b'{"kind":"message","to":"alice","from":"bob","origin":"g2",'
    b'"frame":{"type":"message","from":"bob","content":"good"}}'
)


@pytest.fixture
async def gateway(redis_server: RedisServer, key_prefix: str) -> AsyncIterator[Gateway]:
    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    async with Gateway(config) as gateway:
        yield gateway


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as redis:
        yield redis


async def test_a_repeat_of_an_id_is_acknowledged_and_not_delivered(gateway: Gateway) -> None:
    async with session(gateway, "alice") as alice, session(gateway, "bob") as bob:
        for content, frame_id in (("one", "m1"), ("one", "m1"), ("two", "m2")):
            await say(alice, type="message", to="bob", content=content, id=frame_id)
            assert (await hear(alice))["status"] == "delivered"
        assert [(await hear(bob))["content"] for _ in range(2)] == ["one", "two"]
        assert gateway.stats()["messages"]["duplicate"] == 1


async def test_the_same_id_to_two_users_reaches_both(gateway: Gateway) -> None:
    async with (
        session(gateway, "alice") as alice,
        session(gateway, "bob") as bob,
        session(gateway, "carol") as carol,
    ):
        for to in ("bob", "carol"):
            await say(alice, type="message", to=to, content=f"for {to}", id="1")
            assert (await hear(alice))["status"] == "delivered"
        assert (await hear(bob))["content"] == "for bob"
        assert (await hear(carol))["content"] == "for carol"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\n\n",
        b"\xff\xfe",
        b"~not a canary",
        b"[" * 50_000,
        b'{"kind":"quack"}',
        b'{"kind":"message","to":"alice"}',
        b'{"kind":"message","to":"alice","from":"b","origin":"g2","frame":5,"trace":[]}',
        b'{"kind":"message","to":"alice","from":"b","origin":"g2","frame":{"a":1},"trace":[]}',
        b'{"kind":"message","to":"","from":"","origin":"\xc3\xa9 \\n","frame":null}',
        b'{"kind":"fenced","token":-1,"user":"x"}',
        b'{"kind":"moved","user":"nobody"}',
        b'{"kind":"replaced","user":"alice","conn":"not-hers"}',
        b'{"kind":"undelivered","sender":"nobody","to":"x"}',
    ],
)
async def test_no_envelope_makes_a_gateway_deaf(
    gateway: Gateway, redis: Redis, key_prefix: str, payload: bytes
) -> None:
    async with session(gateway, "alice") as alice:
        for channel in ("gateway:g1", "gateway-broadcast"):
            await redis.publish(key_prefix + channel, payload + b"\n" + payload)
        await redis.publish(f"{key_prefix}gateway:g1", payload + b"\n" + GOOD)
        assert await hear(alice) == {"type": "message", "from": "bob", "content": "good"}
        await say(alice, type="ping")
        assert await hear(alice) == {"type": "pong"}
        health = gateway.health()
        assert (health["status"], health["router"]["gaps"]) == ("ok", 0)


async def test_a_fault_of_our_own_is_logged_and_ends_one_connection_only(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("a bug")

    async with session(gateway, "alice") as alice, session(gateway, "bob") as bob:
        with monkeypatch.context() as patched:
            patched.setattr(gateway.sessions.delivery, "send", fault)
            await say(alice, type="message", to="bob", content="hi")
            assert await close_code(alice) == CloseCode.INTERNAL_ERROR
        await say(bob, type="ping")
        assert await hear(bob) == {"type": "pong"}
    await until(lambda: not gateway.sessions.connections)
    ours = [one for one in caplog.records if one.name.startswith("wsgateway")]
    assert [one.levelno for one in ours if one.exc_info] == [logging.ERROR]
    assert await serves(gateway)


async def test_announcing_does_not_bring_back_a_user_who_left_meanwhile(
    gateway: Gateway, redis: Redis, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_ANNOUNCE_AT_ONCE", 1)
    refresh, left = gateway.presence.refresh, asyncio.Event()

    def slow_refresh(*args: Any) -> "asyncio.Future[Refresh]":
        async def after_bob_left() -> Refresh:
            await left.wait()
            return await refresh(*args)

        return asyncio.ensure_future(after_bob_left())

    async with session(gateway, "alice"):
        async with session(gateway, "bob"):
            monkeypatch.setattr(gateway.presence, "refresh", slow_refresh)
            announcing = asyncio.create_task(gateway.sessions.announce())
            await asyncio.sleep(0)
        await until(lambda: len(gateway.sessions.connections) == 1)
        left.set()
        await announcing
        assert await redis.exists(f"{key_prefix}presence:alice")
        assert not await redis.exists(f"{key_prefix}presence:bob")


async def test_redis_down_refuses_and_recovers(key_prefix: str) -> None:
    with RedisServer() as server:
        config = Config(
            gateway_id="g1", port=0, redis=server.url, canary_s=0.5, lease_ttl_s=0.6, stall_s=5
        )
        async with Gateway(config) as gateway, session(gateway, "alice") as alice:
            server.kill()
            async with opened(gateway) as bob:
                await say(bob, type="register", userId="bob", id="r1")
                refusal = await hear(bob)
                assert (refusal["code"], refusal["replyTo"]) == ("unavailable", "r1")
                assert "127.0.0.1" not in refusal["message"], "not a client's business"
                await say(alice, type="message", to="carol", content="hi", id="m1")
                assert await hear(alice) == {"type": "ack", "id": "m1", "status": "unknown"}
                await say(alice, type="message", to="carol", content="hi")
                assert (await hear(alice))["code"] == "unknown"
                server.restart()
                await until(lambda: gateway.health()["status"] == "ok")
                await say(bob, type="register", userId="bob", id="r2")
                assert (await hear(bob))["type"] == "register"
                await say(alice, type="message", to="bob", content="back", id="m2")
                assert (await hear(bob))["content"] == "back"
            assert (await http_get(gateway, "/health"))[0] == 200


async def test_a_presence_operation_that_fails_unexpectedly_is_an_answer_too(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RedisUnavailable("no")

    async with opened(gateway) as bob:
        with monkeypatch.context() as patched:
            patched.setattr(gateway.presence, "register", refuse)
            await say(bob, type="register", userId="bob")
            assert (await hear(bob))["code"] == "unavailable"
        await say(bob, type="register", userId="bob")
        assert (await hear(bob))["type"] == "register"


async def test_a_repeat_is_answered_only_after_its_first_copy_was_written(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(gateway, "alice") as alice, session(gateway, "bob") as bob:
        connection = gateway.hub.connection_of("bob")
        assert connection is not None
        held: list[bytes] = []
        write = WebSocket.write

        def hold(ws: WebSocket, frames: list[bytes]) -> bool:
            if ws is not connection._ws:
                return write(ws, frames)
            held.extend(frames)
            return False  # as if its kernel buffer were full

        monkeypatch.setattr(WebSocket, "write", hold)
        for _ in range(2):
            await say(alice, type="message", to="bob", content="one", id="m1")
        await until(lambda: gateway.counts.duplicate == 1)
        await say(alice, type="ping")
        assert (await hear(alice))["type"] == "pong"  # no ack has come before it

        monkeypatch.setattr(WebSocket, "write", write)
        assert connection._ws.write(held)
        connection.writable()
        assert [(await hear(alice))["status"] for _ in range(2)] == ["delivered"] * 2
        assert (await hear(bob))["content"] == "one"
        assert gateway.stats()["messages"]["out"] == 1


@pytest.mark.parametrize("status", ["offline", "unknown"])
async def test_what_another_gateway_could_not_deliver_is_reported_as_it_ended(
    gateway: Gateway, redis: Redis, key_prefix: str, status: str
) -> None:
    async with session(gateway, "alice") as alice:
        report = b'{"kind":"undelivered","sender":"alice","to":"bob","id":"m1","status":"%s"}'
        await redis.publish(f"{key_prefix}gateway:g1", report % status.encode())
        refused = await hear(alice)
        assert (refused["type"], refused["code"], refused["replyTo"]) == ("error", status, "m1")
