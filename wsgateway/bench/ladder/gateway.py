"""A gateway in a hundred lines, made of parts that a rung of the ladder chooses.

It has no ids, no acks, no deduplication and no forwarding: what that costs, the last rung shows.
"""

import logging
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from wsgateway.bench.ladder import words
from wsgateway.bench.ladder.redis import Cached
from wsgateway.bench.ladder.sockets import Client
from wsgateway.errors import Overloaded, WsGatewayError

if TYPE_CHECKING:
    from wsgateway.bench.ladder.rungs import Rung

log = logging.getLogger(__name__)


class Gateway:
    """One gateway of the sketch.

    Args:
        rung: its parts.
        gateway_id: its name among the others.
        url: Redis URL.
    """

    def __init__(self, rung: "Rung", gateway_id: str, url: str) -> None:
        self._rung = rung
        self._words = rung.words()
        self._redis = rung.redis(url, gateway_id)
        self._clients: dict[str, Client] = {}

    async def start(self, port: int) -> Any:
        """Subscribe, then accept; return the server."""
        await self._redis.start(self._hear)
        return await self._rung.accept(self, port)

    async def answer(self, client: Client, text: str) -> None:
        """Do what a client's frame asks for."""
        kind, user, content = self._words.read(text)
        if kind == "register":
            client.user = user
            self._clients[user] = client
            await self._redis.register(user)
            client.put(self._words.registered(user))
        elif kind == "ping":
            client.put(words.PONG)
        elif kind == "message":
            gateway_id = await self._redis.where(user)
            if gateway_id is None:
                client.put(words.OFFLINE)
                return
            try:
                envelope = self._words.envelope(user, client.user, content)
                await self._redis.send(gateway_id, envelope)
            except Overloaded:
                client.put(words.OVERLOADED)

    def answer_now(self, client: Client, text: str) -> bool:
        """Send a message whose way is known; False when something has to be awaited."""
        kind, user, content = self._words.read(text)
        if kind != "message" or not isinstance(self._redis, Cached):
            return False
        gateway_id = self._redis.known(user)
        if gateway_id is None:
            return False
        try:
            self._redis.post(gateway_id, self._words.envelope(user, client.user, content))
        except Overloaded:
            client.put(words.OVERLOADED)
        return True

    async def leave(self, client: Client) -> None:
        """Forget a client that is gone."""
        if self._clients.get(client.user) is client:
            del self._clients[client.user]
            try:
                await self._redis.unregister(client.user)
            except (RedisError, WsGatewayError) as error:
                log.warning("%s stays in presence: %s", client.user, error)

    def _hear(self, payload: bytes) -> None:
        """Give what came from other gateways to its recipients."""
        for envelope in payload.split(b"\n"):
            user, frame = self._words.opened(envelope)
            client = self._clients.get(user)
            if client is not None:
                client.put(frame)
