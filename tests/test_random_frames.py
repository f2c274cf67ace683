"""Ten thousand random frames: nobody else notices, and nothing fails inside."""

import asyncio
import itertools
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw import PATIENCE_S, Frame, hear, opened, say, session
from websockets.asyncio.client import ClientConnection

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.gateway import Gateway

FRAMES = 10_000  # at least
BATCH = 25

VALID: list[dict[str, Any]] = [
    {"type": "register", "userId": "mallory"},
    {"type": "register", "userId": "trent", "id": "r1"},
    {"type": "ping"},
    {"type": "message", "to": "nobody", "content": "hi"},
    {"type": "message", "to": "trent", "content": "hi", "id": "m1", "trace": True},
]
KEYS = st.sampled_from(["type", "userId", "to", "content", "id", "trace", "x", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(
        ["register", "ping", "message", "ack", "mallory", "a\n", "*", "}", "\0", "爱"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid frame with a value replaced, a key dropped or doubled, or its text damaged."""
    frame = dict(draw(st.sampled_from(VALID)))
    how = draw(st.sampled_from(["none", "replace", "drop", "double", "cut", "splice"]))
    if how == "replace":
        frame[draw(KEYS)] = draw(JSON)
    elif how == "drop":
        frame.pop(draw(st.sampled_from(sorted(frame))))
    text = json.dumps(frame, ensure_ascii=draw(st.booleans()))
    if how == "double":
        text = f"{text[:-1]}, {json.dumps(draw(KEYS))}: {json.dumps(draw(SCALARS))}}}"
    elif how in ("cut", "splice"):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + (draw(st.text(max_size=4)) + text[at:] if how == "splice" else "")
    return text


ANY_FRAME = mutated() | st.builds(json.dumps, JSON) | st.text(max_size=20)


async def attack(gateway: Gateway, frames: list[str]) -> None:
    """Send `frames` on a fresh socket; return when the gateway has answered the last."""
    async with opened(gateway) as mallory:
        for frame in frames:
            await mallory.send(frame)
        await say(mallory, type="message", to="x", content="", id="end-of-batch")
        answer: Frame = {}
        while answer.get("replyTo") != "end-of-batch":
            answer = await hear(mallory)
            assert answer["type"] in ("register", "pong", "message", "ack", "error")
        assert answer["code"] == "empty_content"


async def chat(one: ClientConnection, other: ClientConnection) -> None:
    """Talk until cancelled; every message arrives, in order, and is acknowledged."""
    for n in itertools.count():
        await say(one, type="message", to="right", content=f"{n}", id=f"{n}")
        assert (await hear(other))["content"] == f"{n}"
        assert await hear(one) == {"type": "ack", "id": f"{n}", "status": "delivered"}


async def test_random_frames_disturb_nobody(
    redis_server: RedisServer, key_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(gateway_id="g1", port=0, redis=redis_server.url, key_prefix=key_prefix)
    loop = asyncio.get_running_loop()
    async with (
        Gateway(config) as gateway,
        session(gateway, "left") as left,
        session(gateway, "right") as right,
    ):
        sent = 0
        chatting = asyncio.create_task(chat(left, right))

        @settings(max_examples=FRAMES // BATCH, suppress_health_check=list(HealthCheck))
        @given(st.lists(ANY_FRAME, min_size=BATCH, max_size=BATCH))
        def attacks(frames: list[str]) -> None:
            nonlocal sent
            asyncio.run_coroutine_threadsafe(attack(gateway, frames), loop).result(PATIENCE_S)
            assert not chatting.done()
            sent += len(frames)

        await asyncio.to_thread(attacks)
        stats = gateway.stats()
        assert not chatting.done()
        chatting.cancel()
        await asyncio.wait([chatting])

    assert sent >= FRAMES
    assert stats["messages"]["delivered"] > FRAMES / BATCH
    assert {"not_json", "bad_frame", "unknown_type", "duplicate_key"} <= set(stats["refused"])
    bad = [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]
    assert not bad
