"""The little cluster of `sim`, on a log: topics outlive their gateways, and are read on."""

import json
from collections import deque
from collections.abc import Callable, Iterator

from sim import SimCluster, SimGateway, SimSocket, Step

from wsgateway.kafka.mailbox import Letter, Reason
from wsgateway.kafka.mailboxes import Mailboxes
from wsgateway.kafka.offsets import Progress
from wsgateway.protocol import Status
from wsgateway.routers.base import Done


class Handle:
    """A timer that fires when the test says so."""

    def __init__(self, timers: "deque[Handle]", callback: Callable[[], None]) -> None:
        self.timers = timers
        self.callback = callback
        timers.append(self)

    def cancel(self) -> None:
        if self in self.timers:
            self.timers.remove(self)


class LogReader:
    """Reads the topic of `owner` for `gateway`, from the last commit on."""

    def __init__(self, gateway: "LogGateway", owner: str) -> None:
        self.gateway = gateway
        self.cluster = gateway.log
        self.owner = owner
        self.topic = self.cluster.topics[owner]
        self.progress = Progress(self.cluster.commits[owner])
        self.timers: deque[Handle] = deque()
        self.dead: list[Letter] = []
        adopted = owner != gateway.id
        self.mailboxes = Mailboxes(
            lambda data, kept: gateway.delivery.receive(
                data, kept, addressee=owner if adopted else None
            ),
            self.finish,
            patience_s=1,
            expiry_s=1,
            clock=lambda: 0,
            wall=lambda: 0,
            call_later=lambda _, callback: Handle(self.timers, callback),
        )

    def finish(self, letter: Letter, reason: Reason | None) -> None:
        if reason is not None:
            self.dead.append(letter)
        self.progress.settle(letter.offset)

    def read(self) -> None:
        offset = self.progress.position
        key, data = self.topic[offset]
        self.progress.read(offset)
        self.mailboxes.take(Letter(0, offset, key.encode(), data, 0))

    def commit(self) -> None:
        self.cluster.commits[self.owner] = self.progress.committable

    def retry(self) -> None:
        self.timers.popleft().callback()

    def close(self) -> None:
        self.mailboxes.aclose()
        self.commit()


class LogGateway(SimGateway):
    """A gateway whose router is a log."""

    def __init__(self, cluster: "LogCluster", gateway_id: str) -> None:
        super().__init__(cluster, gateway_id)
        self.log = cluster
        self.keys: deque[str] = deque()
        # As random numbers would: no two lives of a gateway use one twice.
        self.delivery.lanes._fences._tokens = cluster.lives << 20
        cluster.lives += 1
        self.readers = {gateway_id: LogReader(self, gateway_id)}

    def route_to_gateway(self, gateway_id: str, envelope: bytes, key: str, done: Done) -> None:
        self.keys.append(key)
        super().route_to_gateway(gateway_id, envelope, key, done)

    def publish(self) -> None:
        to, envelope, done = self.publishing.popleft()
        self.log.topics[to].append((self.keys.popleft(), envelope))
        done(Status.ACCEPTED)

    def cut(self, user: str, *, was_written: bool) -> None:
        """The socket of `user` ends in the middle of a write; nobody knows how much got out."""
        socket = self.hub.connection_of(user)
        if socket is None or not socket.outbox:
            return
        frame, on_written = socket.outbox.popleft()
        if was_written and frame:
            socket.wire.append(frame)
        self.vanish(user)
        if on_written is not None:
            on_written(Status.UNKNOWN)


class LogCluster(SimCluster):
    """Gateways, their topics, and what has been committed of each.

    `ordered` until what nobody else knows is lost: which way messages were being passed on.
    """

    def __init__(self, size: int) -> None:
        ids = [f"g{n}" for n in range(1, size + 1)]
        self.topics: dict[str, list[tuple[str, bytes]]] = {one: [] for one in ids}
        self.commits = dict.fromkeys(ids, 0)
        self.lives = 0
        self.ordered = True
        super().__init__(0)
        self.gateways = {one: LogGateway(self, one) for one in ids}

    def readers(self) -> Iterator[LogReader]:
        for gateway in self.gateways.values():
            assert isinstance(gateway, LogGateway)
            yield from gateway.readers.values()

    def crash(self, gateway_id: str) -> None:
        gateway = self.gateways.get(gateway_id)
        if isinstance(gateway, LogGateway):
            lanes = gateway.delivery.lanes._table._lanes.values()
            passes_on = any(lane.stream != gateway_id for lane in lanes)
            self.ordered &= not passes_on and len(gateway.readers) == 1
        super().crash(gateway_id)

    def restart(self, gateway_id: str) -> None:
        """Bring a dead gateway back; whoever adopted its topic lets go first."""
        if gateway_id in self.gateways:
            return
        for gateway in self.gateways.values():
            assert isinstance(gateway, LogGateway)
            reader = gateway.readers.pop(gateway_id, None)
            if reader is not None:
                reader.close()
                self.ordered = False
        self.gateways[gateway_id] = LogGateway(self, gateway_id)

    def adopt(self, gateway_id: str) -> None:
        """Let `gateway_id` read on for every dead gateway that nobody reads for."""
        gateway = self.gateways.get(gateway_id)
        read = {reader.owner for reader in self.readers()}
        if isinstance(gateway, LogGateway):
            for dead in sorted(self.topics.keys() - read):
                gateway.readers[dead] = LogReader(gateway, dead)

    def _fences_time_out(self) -> int:
        count = super()._fences_time_out()
        self.ordered &= not count
        return count

    def steps(self) -> Iterator[tuple[str, Step]]:
        yield from super().steps()
        for reader in list(self.readers()):
            name = f"{reader.gateway.id} in the topic of {reader.owner}"
            if reader.progress.position < len(reader.topic):
                yield f"{name} reads", reader.read
            if reader.timers:
                yield f"{name} tries again", reader.retry
            if reader.progress.committable != self.commits[reader.owner]:
                yield f"{name} commits", reader.commit


def promised(socket: SimSocket) -> list[int]:
    """Return the numbers of the messages that the sender behind `socket` was promised."""
    frames = [json.loads(frame) for frame, _ in socket.outbox if frame]
    return [
        int(one["id"].rpartition("-")[2])
        for one in frames
        if one["type"] == "ack" and one["status"] in (Status.ACCEPTED, Status.DELIVERED)
    ]
