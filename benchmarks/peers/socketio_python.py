"""python-socketio on several nodes: https://python-socketio.readthedocs.io/en/stable/server.html

Its section on client managers, with a room per user; served by uvicorn, as its section on
deployment shows.
"""

import os

import socketio

manager = socketio.AsyncRedisManager(os.environ["REDIS_URL"])
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager, transports=["websocket"])
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": auth["userId"]})
    await sio.enter_room(sid, auth["userId"])


@sio.event
async def message(sid, data):
    session = await sio.get_session(sid)
    answer = {"from": session["user"], "content": data["content"]}
    await sio.emit("message", answer, room=data["to"])
    return "routed"
