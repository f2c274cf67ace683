"""The composer: builds one gateway from its parts, and takes it down again."""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self

from websockets.http11 import Request, Response

from wsgateway import tasks
from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.errors import LeaseLost, WsGatewayError
from wsgateway.http import WEBSOCKET_PATH, Pages
from wsgateway.hub import Hub
from wsgateway.listener import Listener
from wsgateway.presence.claims import RedisClaims
from wsgateway.presence.lease import Lease
from wsgateway.presence.redis import RedisPresence
from wsgateway.report import health_report, stats_report
from wsgateway.routers import make_router
from wsgateway.sessions import Sessions
from wsgateway.stats import Stats

log = logging.getLogger(__name__)

# The share of the drain deadline that is kept for leaving Redis in good order.
_FOR_BACKENDS = 0.25


class Gateway:
    """One gateway: `async with Gateway(config) as gateway:` and it is ready, in this event loop.

    Args:
        config: settings; `config.redis` must be a URL.

    Raises:
        ValueError: `config.redis` is None, or an address its router needs.
        ConfigError: its router cannot be made with these settings.
    """

    def __init__(self, config: Config) -> None:
        if config.redis is None:
            raise ValueError("config.redis must be a URL")
        self.config = config
        self.counts = Stats()
        self.hub: Hub[Connection] = Hub()
        self.started_s = asyncio.get_running_loop().time()
        self.draining = False
        self.failure: WsGatewayError | None = None
        self.presence = RedisPresence(
            config.redis,
            ttl_s=config.presence_ttl_s,
            key_prefix=config.key_prefix,
            timeout_s=config.redis_timeout_s,
        )
        self.claims = RedisClaims(
            config.redis,
            config.gateway_id,
            ttl_s=config.lease_ttl_s,
            key_prefix=config.key_prefix,
            timeout_s=config.redis_timeout_s,
        )
        self.router = make_router(config, self.claims)
        self.sessions = Sessions(config, self.hub, self.presence, self.router, self.counts)
        self.lease = Lease(
            config.redis,
            config.gateway_id,
            ttl_s=config.lease_ttl_s,
            key_prefix=config.key_prefix,
            timeout_s=config.redis_timeout_s,
            on_forgotten=self.sessions.announce,
        )
        self._failed = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._serving = False
        self._backends = AsyncExitStack()
        self._pages = Pages(self)
        self._listener = Listener(config, self._respond, self.sessions.opened)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The WebSocket URL."""
        return f"ws://{self._authority()}{WEBSOCKET_PATH}"

    @property
    def http_url(self) -> str:
        """The base of `/health`, `/stats` and `/metrics`."""
        return f"http://{self._authority()}"

    async def start(self) -> None:
        """Bind the port, take the id, subscribe, then accept: who can connect can be reached.

        Raises:
            GatewayIdTaken: a live gateway has this id.
            BrokerUnavailable: Redis, or the router's broker, cannot be asked.
            OSError: the port is taken.
        """
        try:
            await self._listener.bind()
            self._backends.push_async_callback(self.lease.aclose)
            holder = f"{socket.gethostname()}, pid {os.getpid()}, {self.url}"
            await self.lease.acquire(holder)
            # Why: kept from here on. What is started next may take longer than the lease lives,
            # and another gateway would take our id, or our topic.
            # 原因：从这里就开始续租。接下来的启动步骤可能比租约活得还久，
            # 别的网关就会占走我们的 id，或者接管我们的主题。
            self._keep(self._keep_lease(), "lease")
            await self._backends.enter_async_context(self.presence)
            self.claims.start()
            self._backends.push_async_callback(self.claims.aclose)
            self._backends.push_async_callback(self.router.stop)
            self._backends.callback(self.sessions.delivery.lanes.aclose)
            await self.router.start(self.sessions.delivery.receive)
            await self._listener.start()
        except BaseException:
            await self.aclose()
            raise
        self._keep(self.sessions.sweep(), "sweep")
        self._serving = True
        log.info("gateway %s listens on %s", self.config.gateway_id, self.url)

    async def failed(self) -> None:
        """Wait until this gateway cannot go on.

        Raises:
            LeaseLost: another gateway has taken its id.
            WsGatewayError: a background task died of a bug; the log has the traceback.
        """
        await self._failed.wait()
        assert self.failure is not None
        raise self.failure

    async def aclose(self) -> None:
        """Drain: stop accepting, send clients away at a steady pace, leave nothing behind.

        Bounded by `drain_s`; what a Redis without an answer still holds lapses. Safe to call twice.
        """
        end_s = asyncio.get_running_loop().time() + self.config.drain_s
        self.draining = True
        serving, self._serving = self._serving, False
        if serving:
            left = len(self.sessions.connections)
            log.info("gateway %s drains, connections: %d", self.config.gateway_id, left)
        if self.failure is not None:  # one of them is draining already
            await tasks.end(*self._background)
        # Why: connections go first, while presence and router still work, so that their users
        # leave presence and their last messages leave the gateway.
        # 原因：先关连接，此时在线状态和路由器仍可用，用户才能从在线状态中注销，最后的消息才能发出。
        # The lease is kept meanwhile, or another gateway would adopt what we are still reading.
        await self._drain(end_s - self.config.drain_s * _FOR_BACKENDS)
        await tasks.end(*self._background)
        self._background = []
        try:
            async with asyncio.timeout_at(end_s):
                await self._backends.aclose()
        except TimeoutError:
            log.warning("a broker does not answer: what is left there lapses by itself")
        if serving:
            log.info("gateway %s has left", self.config.gateway_id)

    def health(self) -> dict[str, Any]:
        """Return what `/health` shows."""
        return health_report(self)

    def stats(self) -> dict[str, Any]:
        """Return what `/stats` shows; no user ids."""
        return stats_report(self)

    def _respond(self, request: Request) -> Response | None:
        """Return the page for `request`; None lets a WebSocket in."""
        page = self._pages.respond(request)
        return self._pages.leaving() if page is None and self.draining else page

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` until we leave; its end is a failure."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._background_ended)
        self._background.append(task)

    async def _drain(self, until_s: float) -> None:
        self._listener.stop()
        try:
            async with asyncio.timeout_at(until_s):
                await self.sessions.send_away()
                await self.sessions.empty()
        except TimeoutError:
            left = len(self.sessions.connections)
            log.warning("%d connections did not close in time: dropped", left)
        self._listener.abort()
        await self._listener.empty()

    async def _keep_lease(self) -> None:
        try:
            await self.lease.keep()
        except LeaseLost as error:
            # Why: two gateways with one id would both answer to it; the one that slept leaves.
            # 原因：两个网关共用一个 id 会同时应答；睡过头的那个必须退出。
            log.error("%s", error)
            self._fail(error)
            await self._drain(asyncio.get_running_loop().time() + self.config.drain_s)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("the %s task died", task.get_name(), exc_info=task.exception())
            self._fail(WsGatewayError(f"the {task.get_name()} task died: {task.exception()!r}"))

    def _fail(self, error: WsGatewayError) -> None:
        self.failure = error
        self._failed.set()

    def _authority(self) -> str:
        host = "127.0.0.1" if self.config.host in ("", "0.0.0.0") else self.config.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
