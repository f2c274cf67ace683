"""The least a server can do, on picows: what the load processes reach on it is their ceiling.

`python -m wsgateway.bench.relay PORT` passes messages on within one process: no Redis, no limits,
no deduplication, no heartbeat.
"""

import sys

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from wsgateway.bench.dialect import JsonDialect
from wsgateway.bench.link import head
from wsgateway.bench.target import Node, Target


class _In(msgspec.Struct):
    type: str
    user_id: str = msgspec.field(default="", name="userId")
    to: str = ""
    content: str = ""
    id: str | None = None


_decode = msgspec.json.Decoder(_In).decode
_encode = msgspec.json.encode
_connected: dict[str, WSTransport] = {}


class _Connection(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            return
        said = _decode(frame.get_payload_as_bytes())
        if said.type == "register":
            self.user = said.user_id
            _connected[said.user_id] = transport
            _write(transport, {"type": "register", "userId": said.user_id})
        elif said.type == "message":
            to = _connected.get(said.to)
            if to is not None:
                content = {"type": "message", "from": self.user, "content": said.content}
                _write(to, content)
            if said.id is not None:
                status = "offline" if to is None else "delivered"
                _write(transport, {"type": "ack", "id": said.id, "status": status})


def _write(transport: WSTransport, frame: dict[str, str]) -> None:
    payload = _encode(frame)
    transport.underlying_transport.write(head(len(payload), masked=0) + payload)


def relay_target() -> Target:
    """Return the relay as a target; sender and recipient must be on the same node."""

    def command(node: Node) -> list[str]:
        return [sys.executable, "-m", "wsgateway.bench.relay", str(node.port)]

    return Target(name="bare relay", command=command, dialect=JsonDialect())


async def main(port: int) -> None:
    """Serve until killed."""

    def connection(_: WSUpgradeRequest) -> WSListener:
        return _Connection()

    server = await ws_create_server(connection, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
