"""How the sketch asks Redis: each class changes one thing of the class before it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis

from wsgateway import tasks
from wsgateway.batch import Batcher
from wsgateway.protocol import Status
from wsgateway.redis.connect import connect
from wsgateway.redis.publisher import Publisher
from wsgateway.redis.subscriber import Subscriber

log = logging.getLogger(__name__)

_ROUTE_S = 5.0
_MOST_ROUTES = 10_000
_TIMEOUT_S = 5.0

Command = tuple[str | bytes, ...]


class Plain:
    """One lookup and one publish for each message, each in a round trip of its own.

    Args:
        url: Redis URL.
        gateway_id: whose channel to listen on.
    """

    def __init__(self, url: str, gateway_id: str) -> None:
        self._redis: Any = Redis.from_url(url)  # its answers depend on the command
        self._channel = f"gateway:{gateway_id}"
        self._gateway_id = gateway_id
        self._listening: asyncio.Task[None] | None = None

    async def start(self, hear: Callable[[bytes], None]) -> None:
        """Subscribe; `hear` is told every payload from then on."""
        pubsub = self._redis.pubsub()
        await pubsub.subscribe(self._channel)
        await pubsub.get_message(timeout=_TIMEOUT_S)  # the confirmation

        async def listen() -> None:
            async for told in pubsub.listen():
                hear(told["data"])

        self._listening = asyncio.create_task(listen(), name="ladder: subscription")

    async def aclose(self) -> None:
        """Stop."""
        if self._listening is not None:
            await tasks.end(self._listening)
        await self._redis.aclose()

    async def ask(self, *command: str | bytes) -> Any:
        """Send one command; return its reply."""
        return await self._redis.execute_command(*command)

    async def register(self, user: str) -> None:
        """Write that `user` is here."""
        await self.ask("HSET", f"presence:{user}", "gatewayId", self._gateway_id)

    async def unregister(self, user: str) -> None:
        """Forget `user`."""
        await self.ask("DEL", f"presence:{user}")

    async def where(self, user: str) -> str | None:
        """Return the gateway of `user`, or None."""
        gateway_id = await self.ask("HGET", f"presence:{user}", "gatewayId")
        return gateway_id.decode() if gateway_id else None

    async def send(self, gateway_id: str, envelope: bytes) -> None:
        """Publish one envelope to a gateway."""
        await self.ask("PUBLISH", f"gateway:{gateway_id}", envelope)


class Pipelined(Plain):
    """While one round trip is under way, commands wait; then all that wait go as one pipeline."""

    async def start(self, hear: Callable[[bytes], None]) -> None:
        """See `Plain.start`."""
        self._commands: Batcher[Command, Any] = Batcher(self._round_trip)
        self._commands.start()
        await super().start(hear)

    async def aclose(self) -> None:
        """See `Plain.aclose`."""
        await self._commands.aclose()
        await super().aclose()

    async def ask(self, *command: str | bytes) -> Any:
        """See `Plain.ask`."""
        return await self._commands.submit(command)

    async def _round_trip(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


class Batched(Pipelined):
    """All envelopes that wait for one gateway go as one PUBLISH, and nobody waits for its answer.

    No timer: an idle gateway publishes at once, a busy one fills its batches by itself.
    """

    async def start(self, hear: Callable[[bytes], None]) -> None:
        """See `Plain.start`."""
        self._envelopes: Batcher[tuple[str, bytes], None] = Batcher(self._publish)
        self._envelopes.start()
        await super().start(hear)

    async def aclose(self) -> None:
        """See `Plain.aclose`."""
        await self._envelopes.aclose()
        await super().aclose()

    async def send(self, gateway_id: str, envelope: bytes) -> None:
        """See `Plain.send`."""
        self.post(gateway_id, envelope)

    def post(self, gateway_id: str, envelope: bytes) -> None:
        """Queue one envelope for a gateway.

        Raises:
            Overloaded: too many wait.
        """
        self._envelopes.submit((gateway_id, envelope)).add_done_callback(_note)

    async def _publish(self, waiting: Sequence[tuple[str, bytes]]) -> list[None]:
        payloads: dict[str, list[bytes]] = {}
        for gateway_id, envelope in waiting:
            payloads.setdefault(gateway_id, []).append(envelope)
        publishing = [
            self.ask("PUBLISH", f"gateway:{gateway_id}", b"\n".join(envelopes))
            for gateway_id, envelopes in payloads.items()
        ]
        await asyncio.gather(*publishing)
        return [None] * len(waiting)


class Cached(Batched):
    """A route is remembered for a few seconds: most messages ask nobody."""

    # The sketch loses what it sends along an old route; the shipped gateway forwards it.

    def __init__(self, url: str, gateway_id: str) -> None:
        super().__init__(url, gateway_id)
        self._routes: dict[str, tuple[str, float]] = {}
        self._now_s = asyncio.get_running_loop().time

    async def where(self, user: str) -> str | None:
        """See `Plain.where`."""
        gateway_id = self.known(user)
        if gateway_id is None:
            gateway_id = await super().where(user)
            if gateway_id is not None:
                if len(self._routes) >= _MOST_ROUTES:
                    self._routes.clear()
                self._routes[user] = gateway_id, self._now_s() + _ROUTE_S
        return gateway_id

    def known(self, user: str) -> str | None:
        """Return the gateway of `user` if that need not be asked."""
        gateway_id, until_s = self._routes.get(user, (None, 0.0))
        return gateway_id if self._now_s() < until_s else None


class Lean(Cached):
    """The shipped gateway's own link: RESP through hiredis, a callback where a task woke up."""

    def __init__(self, url: str, gateway_id: str) -> None:
        super().__init__(url, gateway_id)
        self._nodes = connect(url, _TIMEOUT_S)
        self._publisher = Publisher(self._nodes)

    async def start(self, hear: Callable[[bytes], None]) -> None:
        """See `Plain.start`."""
        self._publisher.start()
        self._subscriber = Subscriber(self._nodes, [self._channel], hear, timeout_s=_TIMEOUT_S)
        await self._subscriber.start()

    async def aclose(self) -> None:
        """See `Plain.aclose`."""
        self._publisher.stop()
        await self._subscriber.aclose()
        await self._nodes.aclose()

    async def ask(self, *command: str | bytes) -> Any:
        """See `Plain.ask`."""
        return (await self._nodes.link_of(str(command[1])).ask([command]))[0]

    def post(self, gateway_id: str, envelope: bytes) -> None:
        """See `Batched.post`."""
        self._publisher.put(f"gateway:{gateway_id}", envelope, _published)


def _note(publishing: "asyncio.Future[None]") -> None:
    """Say that a batch was not published: there is nobody to tell in the sketch."""
    if not publishing.cancelled() and (error := publishing.exception()) is not None:
        log.warning("not published: %s", error)


def _published(status: Status) -> None:
    if status is not Status.ROUTED:
        log.warning("not published: %s", status)
