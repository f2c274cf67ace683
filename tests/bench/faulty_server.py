"""A server that keeps its promises but for one: `faulty_server.py PORT FAULT`.

Faults: `drop`, `double` and `swap` do that to every tenth message; `silent` acks none of them,
`refuse` refuses them with the code `overloaded`, `regret` acks and drops them, and refuses each of
them later, twice. `deaf` drops every message, `die` ends the process
at the first, `close` closes the recipient's connection, and `none` is no fault.
"""

import asyncio
import json
import os
import sys

from websockets.asyncio.server import ServerConnection, serve

EACH = 10
connected: dict[str, ServerConnection] = {}
held: dict[str, str] = {}


async def serve_one(socket: ServerConnection, fault: str) -> None:
    async for text in socket:
        frame = json.loads(text)
        if frame["type"] == "register":
            user = frame["userId"]
            connected[user] = socket
            await socket.send(json.dumps({"type": "register", "userId": user}))
        elif frame["type"] == "message":
            await pass_on(socket, frame, fault)


async def pass_on(socket: ServerConnection, frame: dict[str, str], fault: str) -> None:
    faulty = int(frame["id"]) % EACH == 0
    if fault == "die":
        print("out of order on purpose", flush=True)
        os._exit(3)
    to = connected[frame["to"]]
    if fault == "close":
        await to.close(4004)
        return
    message = json.dumps({"type": "message", "from": "x", "content": frame["content"]})
    earlier = held.pop(frame["to"], None)
    if faulty and fault == "swap":
        held[frame["to"]] = message
    elif fault != "deaf" and not (faulty and fault in ("drop", "refuse", "regret")):
        await to.send(message)
    if faulty and fault == "double":
        await to.send(message)
    if earlier is not None:
        await to.send(earlier)
    if faulty and fault == "refuse":
        refusal = {"type": "error", "code": "overloaded", "replyTo": frame["id"]}
        await socket.send(json.dumps(refusal))
    elif not (faulty and fault == "silent"):
        ack = {"type": "ack", "id": frame["id"], "status": "delivered"}
        await socket.send(json.dumps(ack))
    if faulty and fault == "regret":
        for _ in range(2):
            bad_news = {"type": "error", "code": "offline", "replyTo": frame["id"]}
            await socket.send(json.dumps(bad_news))


async def main(port: int, fault: str) -> None:
    async with serve(lambda socket: serve_one(socket, fault), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
