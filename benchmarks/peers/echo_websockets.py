"""A limit: one process, `websockets`, no broker. It hands each message to its recipient."""

import json
import sys

import uvloop
from websockets.asyncio.server import serve

users = {}


async def handle(websocket):
    async for text in websocket:
        frame = json.loads(text)
        if frame["type"] == "register":
            users[frame["userId"]] = websocket
            await websocket.send(text)
        else:
            await users[frame["to"]].send(text)


async def main(port):
    async with serve(handle, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
