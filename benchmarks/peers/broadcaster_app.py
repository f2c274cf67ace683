"""Starlette and broadcaster on several nodes: https://github.com/encode/broadcaster

The chat room of its README, with a channel per user.
"""

import json
import os
from contextlib import asynccontextmanager

import anyio
from broadcaster import Broadcast
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

broadcast = Broadcast(os.environ["REDIS_URL"])


@asynccontextmanager
async def lifespan(app):
    await broadcast.connect()
    yield
    await broadcast.disconnect()


async def chatroom(websocket):
    await websocket.accept()
    register = await websocket.receive_json()
    user = register["userId"]
    async with anyio.create_task_group() as group, broadcast.subscribe(channel=user) as subscriber:

        async def receiver():
            async for text in websocket.iter_text():
                message = json.loads(text)
                answer = {"type": "message", "from": user, "content": message["content"]}
                await broadcast.publish(channel=message["to"], message=json.dumps(answer))
            group.cancel_scope.cancel()

        group.start_soon(receiver)
        await websocket.send_json(register)
        async for event in subscriber:
            await websocket.send_text(event.message)


app = Starlette(routes=[WebSocketRoute("/ws", chatroom)], lifespan=lifespan)
