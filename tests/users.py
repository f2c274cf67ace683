"""Users on raw sockets who remember all they hear, and the settings of gateways for them."""

import asyncio
import base64
import json
import socket
from collections import Counter
from typing import Any, Self
from urllib.parse import urlsplit

from raw import until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wsgateway.brokers import RedisServer
from wsgateway.config import Config
from wsgateway.gateway import Gateway


class User:
    """A registered socket with a reader; it never reconnects and never pings by itself."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.registered: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.acks: dict[str, str] = {}
        self.ack_count = 0
        self.errors: list[dict[str, Any]] = []
        self.pongs = 0
        self.closed: tuple[int, str] | None = None
        self._ws: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ws = await connect(self.url, compression=None, ping_interval=None, open_timeout=30)
        await self.say(type="register", userId=self.name)
        self.registered = json.loads(await asyncio.wait_for(self._ws.recv(), 30))
        assert self.registered["type"] == "register", self.registered
        self._reading = asyncio.create_task(self._read(self._ws))
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._ws is not None
        assert self._reading is not None
        await self._ws.close()
        await asyncio.wait([self._reading])

    @property
    def contents(self) -> list[str]:
        return [message["content"] for message in self.messages]

    async def say(self, **frame: Any) -> None:
        assert self._ws is not None
        await self._ws.send(json.dumps(frame))

    async def message(self, to: str, content: str, **optional: Any) -> None:
        await self.say(type="message", to=to, content=content, **optional)

    async def ask(self, to: str, content: str, frame_id: str) -> str:
        """Send one message and wait for its fate."""
        await self.message(to, content, id=frame_id)
        await until(lambda: frame_id in self.acks)
        return self.acks[frame_id]

    def stop_reading(self) -> None:
        """Leave everything from now on in the socket."""
        assert self._reading is not None
        self._reading.cancel()

    def vanish(self) -> None:
        """Drop the connection without a word."""
        assert self._ws is not None
        self._ws.transport.abort()

    async def _read(self, ws: ClientConnection) -> None:
        try:
            while True:
                self._hear(json.loads(await ws.recv()))
        except ConnectionClosed:
            self.closed = ws.close_code or 1006, ws.close_reason or ""

    def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "message":
            self.messages.append(frame)
        elif frame["type"] == "ack":
            self.acks[frame["id"]] = frame["status"]
            self.ack_count += 1
        elif frame["type"] == "error":
            self.errors.append(frame)
        else:
            self.pongs += frame["type"] == "pong"


class DeafUser:
    """A registered user on a bare TCP socket who reads nothing more, and never closes."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name

    async def __aenter__(self) -> Self:
        address = urlsplit(self._url)
        self._tcp = socket.create_connection((address.hostname, address.port))
        self._tcp.setblocking(False)
        key = "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode()
        await self._ask(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        frame = json.dumps({"type": "register", "userId": self._name}).encode()
        await self._ask(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)  # mask of zeros
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._tcp.close()

    async def _ask(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._tcp, data)
        assert await loop.sock_recv(self._tcp, 4096)


ON_KAFKA: dict[str, Any] = {"router": "kafka", "kafka_fetch_wait_s": 0.005}


class Cluster:
    """Gateways in this process on one Redis, and on a Kafka if its address is given.

    `async with` stops those still running.
    """

    def __init__(self, redis: RedisServer | str, key_prefix: str, kafka: str | None = None) -> None:
        # Tansu wants short fetches; an Apache Kafka does not mind them here.
        self.router = {} if kafka is None else ON_KAFKA | {"kafka": kafka}
        self.on_its_way = "routed" if kafka is None else "accepted"
        self.redis = redis if isinstance(redis, str) else redis.url
        self.prefix = key_prefix
        self.gateways: dict[str, Gateway] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.gather(*(gateway.aclose() for gateway in self.gateways.values()))

    async def start(self, *ids: str, scale: float = 1, **settings: Any) -> list[Gateway]:
        for gateway_id in ids:
            config = Config(
                gateway_id=gateway_id,
                port=0,
                redis=self.redis,
                key_prefix=self.prefix,
                **self.router | settings,
            ).scaled(scale)
            self.gateways[gateway_id] = Gateway(config)
            await self.gateways[gateway_id].start()
        return [self.gateways[gateway_id] for gateway_id in ids]

    def counts(self) -> Counter[str]:
        """The message counts of all gateways together."""
        total: Counter[str] = Counter()
        for gateway in self.gateways.values():
            total.update(gateway.stats()["messages"])
        return total
