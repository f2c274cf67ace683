"""The cluster of docker-compose.yml as processes: three gateways behind the shipped HAProxy."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from balancer import Balancer
from raw import PATIENCE_S, until
from users import User
from websockets.exceptions import ConnectionClosed

from wsgateway.brokers import RedisServer
from wsgateway.brokers.server import free_port
from wsgateway.client import Client, Options
from wsgateway.config import ROUTERS, Config
from wsgateway.errors import CloseCode
from wsgateway.process import GatewayProcess

IDS = ("g1", "g2", "g3")
ARRIVES = {"delivered", "routed", "accepted"}
PROMPT = Options(backoff_base_s=0.05, backoff_cap_s=0.2)


class Topology:
    """Redis, three gateway processes and a balancer; `async with` ends those still running.

    Args:
        flags: more flags for the gateways.
        tunnel_timeout_s: another tunnel timeout than the shipped one, seconds.
    """

    def __init__(self, *flags: str, tunnel_timeout_s: float | None = None) -> None:
        self.redis = RedisServer()
        self.ports = {name: free_port() for name in IDS}
        self.balancer = Balancer(self.ports, tunnel_timeout_s=tunnel_timeout_s)
        self.gateways: dict[str, GatewayProcess] = {}
        self._flags = flags
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Topology":
        async with AsyncExitStack() as running:
            await asyncio.to_thread(running.enter_context, self.redis)
            for name in IDS:
                fixed = ("--port", str(self.ports[name]), "--lease-ttl-s", "1")
                gateway = GatewayProcess(name, redis=self.redis.url, flags=(*fixed, *self._flags))
                running.push_async_callback(gateway.aclose)
                self.gateways[name] = gateway
            await asyncio.gather(*(gateway.start() for gateway in self.gateways.values()))
            await asyncio.to_thread(running.enter_context, self.balancer)
            self._running = running.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._running.aclose()

    def user(self, name: str) -> User:
        """A raw socket through the balancer."""
        return User(self.balancer.url, name)

    def client(self, name: str) -> Client:
        """A reconnecting client that knows the balancer only."""
        return Client(name, self.balancer.url, options=PROMPT)


@pytest.fixture(params=ROUTERS)
def router_flags(request: pytest.FixtureRequest, key_prefix: str) -> tuple[str, ...]:
    """The flags that choose how envelopes travel."""
    flags = ("--key-prefix", key_prefix, "--router", request.param)
    if request.param == "kafka":
        flags += ("--kafka", request.getfixturevalue("tansu_server").address)
    return flags


@pytest.fixture
async def topology(router_flags: tuple[str, ...]) -> AsyncIterator[Topology]:
    async with Topology(*router_flags) as topology:
        yield topology


async def test_clients_spread_over_the_gateways_and_reach_each_other(topology: Topology) -> None:
    async with AsyncExitStack() as here:
        users = [await here.enter_async_context(topology.user(f"u{n}")) for n in range(9)]
        assert Counter(user.registered["gatewayId"] for user in users) == dict.fromkeys(IDS, 3)
        for n, user in enumerate(users):
            to = users[(n + 1) % len(users)]
            assert await user.ask(to.name, f"from u{n}", "m") in ARRIVES
        for n, user in enumerate(users):
            await until(lambda user=user: user.messages)
            assert user.contents == [f"from u{(n - 1) % len(users)}"]


async def test_users_of_a_killed_gateway_come_back_elsewhere_and_can_be_reached(
    topology: Topology,
) -> None:
    async with AsyncExitStack() as here:
        clients = [await here.enter_async_context(topology.client(f"u{n}")) for n in range(9)]
        lost = [client for client in clients if client.gateway_id == "g1"]
        sender = next(client for client in clients if client.gateway_id == "g2")
        assert len(lost) == 3
        topology.gateways["g1"].kill()
        await until(lambda: all(c.connected and c.gateway_id != "g1" for c in lost))
        for client in lost:
            assert await sender.send(client.user, "still there?") in ARRIVES
            assert (await anext(client)).content == "still there?"
        assert sender.gateway_id == "g2", "nobody else was disturbed"

        await topology.balancer.until("g1", "DOWN")
        await topology.gateways["g1"].start()
        await topology.balancer.until("g1", "UP")
        async with topology.client("new") as new:
            assert new.gateway_id == "g1", "the emptiest one takes the next client"


async def test_no_client_is_refused_while_a_gateway_drains(topology: Topology) -> None:
    """One that came in just before is sent away as all others are: 1012, come back."""
    g1 = topology.gateways["g1"]
    gone = asyncio.create_task(g1.wait())
    arrivals: Counter[str] = Counter()

    async def keep_coming(name: str) -> None:
        after = 0
        while after < 5:  # each of them, after g1 has gone
            try:
                async with topology.user(name) as user:
                    arrivals[user.registered["gatewayId"]] += 1
            except ConnectionClosed as error:  # a refused handshake is another one, and raises
                if error.rcvd is None or error.rcvd.code != CloseCode.RESTART:
                    raise
            after += gone.done()

    async with AsyncExitStack() as here:
        clients = [await here.enter_async_context(topology.client(f"u{n}")) for n in range(9)]
        coming = [asyncio.create_task(keep_coming(f"new-{n}")) for n in range(10)]
        await until(lambda: arrivals["g1"] > 10)
        g1.terminate()
        await asyncio.gather(*coming)
        assert await gone == 0
        await until(lambda: all(c.connected and c.gateway_id != "g1" for c in clients))
        for n, client in enumerate(clients):
            to = clients[(n + 1) % len(clients)]
            assert await client.send(to.user, "hi") in ARRIVES
            assert (await anext(to)).content == "hi"
        await topology.balancer.until("g1", "DOWN")


async def test_a_handshake_under_way_at_a_killed_gateway_is_answered_by_another(
    topology: Topology,
) -> None:
    async with AsyncExitStack() as here:
        topology.gateways["g1"].pause()  # its kernel still accepts
        coming = [
            asyncio.create_task(here.enter_async_context(topology.user(f"u{n}"))) for n in range(3)
        ]
        async with asyncio.timeout(PATIENCE_S):
            while sum(u.done() for u in coming) + await topology.balancer.sessions("g1") < 3:
                pass
        topology.gateways["g1"].kill()
        users = await asyncio.gather(*coming)
        assert {user.registered["gatewayId"] for user in users} == {"g2", "g3"}


async def test_a_handshake_that_a_leaving_gateway_turns_down_is_answered_by_another(
    topology: Topology,
) -> None:
    """What `websockets` answers when the server closes during a handshake: 503."""
    turned_down = 0

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turned_down
        head = await reader.readuntil(b"\r\n\r\n")
        healthy = head.startswith(b"GET /health ")
        turned_down += not healthy
        status = b"200 OK" if healthy else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        writer.close()

    async with await asyncio.start_server(leaving, "127.0.0.1", 0) as g1, AsyncExitStack() as here:
        ports = {**topology.ports, "g1": g1.sockets[0].getsockname()[1]}
        balancer = await asyncio.to_thread(here.enter_context, Balancer(ports))
        for n in range(3):
            await here.enter_async_context(User(balancer.url, f"u{n}"))
        assert turned_down > 0


async def test_a_redis_that_is_away_stops_new_clients_and_cuts_nobody(topology: Topology) -> None:
    async with topology.user("alice") as alice, topology.user("bob") as bob:
        status, body = await topology.balancer.get("/health")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        topology.redis.pause()
        for name in IDS:
            await topology.balancer.until(name, "DOWN")
        assert (await topology.balancer.get("/health"))[0] == 503
        topology.redis.resume()
        for name in IDS:
            await topology.balancer.until(name, "UP")
        assert await alice.ask("bob", "hi", "m") in ARRIVES
        await until(lambda: bob.contents == ["hi"])
        async with topology.user("carol") as carol:
            assert carol.registered["userId"] == "carol"


async def test_pages_about_one_gateway_are_not_shown(topology: Topology) -> None:
    for path in ("/stats", "/metrics", "/"):
        assert (await topology.balancer.get(path))[0] == 404


# Heartbeats at a fiftieth: a ping every 0.6 s, silence noticed after 1.8 s to 3 s.
SCALE = 0.02
PING_S = Config(gateway_id="g1").scaled(SCALE).ping_s


async def test_a_client_that_only_pings_stays_and_a_silent_one_is_closed_by_its_gateway() -> None:
    tunnel_timeout_s = float(Balancer.preset("TUNNEL_TIMEOUT").removesuffix("s")) * SCALE
    async with (
        Topology("--time-scale", str(SCALE), tunnel_timeout_s=tunnel_timeout_s) as topology,
        topology.user("pinging") as pinging,
        topology.user("silent") as silent,
    ):
        for pings in range(1, 2 + round(2 * tunnel_timeout_s / PING_S)):
            await pinging.say(type="ping")
            await asyncio.sleep(PING_S)
            await until(lambda sent=pings: pinging.pongs == sent)
        assert pinging.closed is None
        await until(lambda: silent.closed)
        assert silent.closed is not None
        assert silent.closed[0] == CloseCode.HEARTBEAT_TIMEOUT


async def test_a_balancer_less_patient_than_the_heartbeat_cuts_without_a_word() -> None:
    """What the shipped timeout is there to avoid: this shows that the test above can fail."""
    async with (
        Topology(tunnel_timeout_s=0.5) as topology,
        topology.user("alice") as alice,
    ):
        await until(lambda: alice.closed)
        assert alice.closed == (1006, "")
