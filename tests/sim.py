"""A little cluster without I/O: real `Delivery` and `Lanes`, and a router, a presence and sockets
that move only when a test says so. Every event order a real cluster can show can be played."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from wsgateway.config import Config
from wsgateway.delivery import Delivery
from wsgateway.envelope import Replaced
from wsgateway.hub import Hub
from wsgateway.presence.base import Owner
from wsgateway.protocol import Message, Status
from wsgateway.routers.base import Done
from wsgateway.stats import Stats

Step = Callable[[], None]


class SimSocket:
    """Bob's or alice's connection on one gateway; `write` puts one frame on the wire."""

    def __init__(self, conn_id: str, wire: list[bytes]) -> None:
        self.conn_id = conn_id
        self.open = True
        self.outbox: deque[tuple[bytes, Callable[[Status], None] | None]] = deque()
        self.wire = wire

    def send(self, frame: bytes, on_written: Callable[[Status], None] | None = None) -> bool:
        if self.open:
            self.outbox.append((frame, on_written))
        return self.open

    def settle(self) -> None:
        """Nobody here waits for a window."""

    def write(self) -> None:
        frame, on_written = self.outbox.popleft()
        if frame:
            self.wire.append(frame)
        if on_written is not None:
            on_written(Status.DELIVERED)

    def abandon(self) -> None:
        self.open = False
        while self.outbox:
            _, on_written = self.outbox.pop()
            if on_written is not None:
                on_written(Status.OFFLINE)


class SimGateway:
    """One gateway: it is the `Router` and the `Presence` of its own `Delivery`."""

    def __init__(self, cluster: "SimCluster", gateway_id: str) -> None:
        self.id = gateway_id
        self.cluster = cluster
        self.hub: Hub[SimSocket] = Hub()
        self.stats = Stats()
        self.arriving: deque[bytes] = deque()
        self.publishing: deque[tuple[str, bytes, Done]] = deque()
        self.asking: deque[tuple[Callable[[], object], asyncio.Future[object]]] = deque()
        config = Config(gateway_id=gateway_id)
        self.delivery = Delivery(config, self.hub, self, self, self.stats, self.replaced)

    @property
    def patience_s(self) -> float:
        return self.cluster.fence_s

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        self.publishing.append((gateway_id, envelope, done))

    def lookup(self, user: str) -> "asyncio.Future[Owner | None]":
        return self.ask(lambda: self.cluster.records.get(user))

    def ask(self, operation: Callable[[], object]) -> "asyncio.Future[object]":
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.asking.append((operation, future))
        return future

    def replaced(self, user: str, conn_id: str) -> None:
        socket = self.cluster.sockets.get(conn_id)
        if socket is None:
            return
        if self.hub.user_of(socket) == user:
            self.hub.unbind(socket)
        socket.abandon()

    def register(self, user: str) -> None:
        """What `Sessions` does: write presence, then bind, then tell the displaced gateway."""
        cluster = self.cluster
        socket = SimSocket(f"c{len(cluster.sockets)}", cluster.wires.setdefault(user, []))
        cluster.sockets[socket.conn_id] = socket

        def write() -> Owner | None:
            old = cluster.records.get(user)
            cluster.epoch += 1
            cluster.records[user] = Owner(self.id, socket.conn_id, cluster.epoch)
            return old

        def bind(result: "asyncio.Future[object]") -> None:
            displaced = self.hub.bind(user, socket)
            self.delivery.lanes.moved(user)
            if displaced is not None:
                displaced.abandon()
            old = result.result()
            if isinstance(old, Owner) and old.gateway_id != self.id:
                self.delivery.tell(old.gateway_id, Replaced(user, old.conn_id))

        self.ask(write).add_done_callback(bind)

    def vanish(self, user: str) -> None:
        """The socket of `user` here ends by itself."""
        socket = self.hub.connection_of(user)
        if socket is None:
            return
        socket.abandon()
        self.hub.unbind(socket)

        def unregister() -> None:
            record = self.cluster.records.get(user)
            if record is not None and record.conn_id == socket.conn_id:
                del self.cluster.records[user]

        self.ask(unregister)

    def publish(self) -> None:
        to, envelope, done = self.publishing.popleft()
        alive = to in self.cluster.subscribed
        if alive:
            self.cluster.gateways[to].arriving.append(envelope)
        done(Status.ROUTED if alive else Status.OFFLINE)

    def answer(self) -> None:
        operation, future = self.asking.popleft()
        future.set_result(operation())

    def arrive(self) -> None:
        self.delivery.receive(self.arriving.popleft())


class SimCluster:
    """Gateways g1, g2, ... and all that is shared between them."""

    def __init__(self, size: int, *, fence_s: float = 1e6) -> None:
        self.fence_s = fence_s
        self.records: dict[str, Owner] = {}
        self.sockets: dict[str, SimSocket] = {}
        self.wires: dict[str, list[bytes]] = {}
        self.epoch = 0
        self.gateways = {f"g{n}": SimGateway(self, f"g{n}") for n in range(1, size + 1)}
        self.subscribed = set(self.gateways)

    def __getitem__(self, gateway_id: str) -> SimGateway:
        return self.gateways[gateway_id]

    def crash(self, gateway_id: str) -> None:
        """SIGKILL: what it held is gone, its presence records stay behind."""
        gateway = self.gateways.pop(gateway_id, None)
        if gateway is not None:
            self.subscribed.discard(gateway_id)
            for _, socket in gateway.hub:
                socket.open = False

    def steps(self) -> Iterator[tuple[str, Step]]:
        """All that can happen next, by name, in a stable order."""
        for gateway in self.gateways.values():
            if gateway.publishing:
                yield f"{gateway.id} publishes", gateway.publish
            if gateway.asking:
                yield f"{gateway.id} hears from presence", gateway.answer
            if gateway.arriving:
                yield f"{gateway.id} receives", gateway.arrive
        for socket in self.sockets.values():
            if socket.outbox and socket.open and socket.outbox:
                yield f"{socket.conn_id} writes", socket.write

    async def settle(self, *, lossy: bool = False) -> None:
        """Play everything out, first come first served; time passes only if envelopes got lost."""
        for _ in range(100_000):
            await spin()
            step = next(self.steps(), None)
            if step is not None:
                step[1]()
            elif not (lossy and self._fences_time_out()):
                return
        raise AssertionError("the cluster never comes to rest")

    def _fences_time_out(self) -> int:
        fences = [gateway.delivery.lanes._fences for gateway in self.gateways.values()]
        tokens = [(one, token) for one in fences for token in one._waiting]
        for one, token in tokens:
            one.answer(token)
        return len(tokens)


class SimSender:
    """A user who writes to others from one gateway, and counts the fates of the messages."""

    def __init__(self, gateway: SimGateway, user: str) -> None:
        self.gateway = gateway
        self.user = user
        self.sent: list[str] = []
        self.socket = SimSocket(f"sender-{user}", [])
        gateway.hub.bind(user, self.socket)

    def send(self, to: str) -> None:
        frame_id = f"{self.user}-{len(self.sent)}"
        self.sent.append(frame_id)
        self.gateway.delivery.send(self.socket, self.user, Message(to, frame_id, frame_id))

    @property
    def settled(self) -> int:
        return self.gateway.stats.by_status.total()


async def spin() -> None:
    """Let callbacks of what just happened run."""
    for _ in range(4):
        await asyncio.sleep(0)
