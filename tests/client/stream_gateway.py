"""A gateway process with a log: it goes on from its last commit, like one that was killed.

`stream_gateway.py PORT LOG TOTAL` writes the messages 0 to TOTAL - 1, from bob, to whoever
registers. It commits (the size of LOG) after every 20; what a kill leaves uncommitted comes again.
"""

import asyncio
import json
import os
import sys

from websockets.asyncio.server import ServerConnection, serve

COMMIT_EVERY = 20


async def main(port: int, log: str, total: int) -> None:
    committed = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    async def write(ws: ServerConnection) -> None:
        for n in range(os.fstat(committed).st_size, total):
            message = {"type": "message", "from": "bob", "content": str(n), "id": str(n)}
            await ws.send(json.dumps(message))
            if (n + 1) % COMMIT_EVERY == 0:
                os.write(committed, b"." * COMMIT_EVERY)
                await asyncio.sleep(0)

    async def session(ws: ServerConnection) -> None:
        user = json.loads(await ws.recv())["userId"]
        answer = {"type": "register", "userId": user, "connId": "c", "gatewayId": "g"}
        await ws.send(json.dumps({**answer, "heartbeatMs": 30_000}))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write(ws))
            async for data in ws:
                frame = json.loads(data)
                if frame["type"] == "message":
                    ack = {"type": "ack", "id": frame["id"], "status": "delivered"}
                    await ws.send(json.dumps(ack))

    # "written" means in the kernel's hands, as in the real one
    limits = {"write_limit": 0, "compression": None, "ping_interval": None}
    async with serve(session, "127.0.0.1", port, **limits):
        print("ready", flush=True)
        await asyncio.Future()


asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
