"""The HTTP side of the gateway's port: /health, /stats and /metrics, for machines and people."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from wsgateway.routers.base import Router, RouterHealth

WEBSOCKET_PATH = "/ws"

_TEXT = "text/plain; charset=utf-8"


class Observed(Protocol):
    """What can be shown: a gateway."""

    router: Router

    def health(self) -> dict[str, Any]: ...

    def stats(self) -> dict[str, Any]: ...


class Pages:
    """Answers plain HTTP requests about one gateway."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._registry = CollectorRegistry()
        self._registry.register(_GatewayCollector(observed))

    def respond(self, request: Request) -> Response | None:
        """Return the page for `request`, or None when it is for the WebSocket."""
        path = request.path.partition("?")[0]
        if path == WEBSOCKET_PATH:
            return None
        if path == "/health":
            health = self._observed.health()
            ok = health["status"] == "ok"
            return _json(HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, health)
        if path == "/stats":
            return _json(HTTPStatus.OK, self._observed.stats())
        if path == "/metrics":
            return _page(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry))
        return _page(HTTPStatus.NOT_FOUND, _TEXT, b"not found\n")

    def leaving(self) -> Response:
        """Return what a WebSocket client is told by a gateway that drains."""
        return _page(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"this gateway is leaving\n")


class _GatewayCollector(Collector):
    """Turns `/stats` into Prometheus families when a scrape asks; nothing is kept twice."""

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def collect(self) -> Iterator[Metric]:
        stats = self._observed.stats()
        yield _gauge("connections", "Open sockets.", stats["connections"])
        yield _gauge("users", "Registered users.", stats["users"])
        yield _gauge("routes", "Cached routes.", stats["routes"])
        yield _gauge("uptime_seconds", "Seconds since the start.", stats["uptimeS"])
        yield _counter("messages", "Messages by what happened.", "event", stats["messages"])
        yield _counter("refused", "Error frames by code.", "code", stats["refused"])
        yield _counter("closed", "Connections ended by close code.", "code", stats["closed"])
        yield _counter("presence", "Presence operations.", "operation", stats["presence"])
        queues = GaugeMetricFamily("wsgateway_queue", "What waits, by queue.", labels=["queue"])
        for name, depth in stats["queues"].items():
            queues.add_metric([name], depth)
        yield queues
        yield from _router(self._observed.router.health())


def _router(router: RouterHealth) -> Iterator[Metric]:
    """A router's own numbers: a new one brings its families with it."""
    yield _gauge("router_ok", "Whether envelopes for this gateway arrive.", int(router.ok))
    for name, count in router.counters.items():
        about = f"Router {router.kind}: {name.replace('_', ' ')}."
        yield CounterMetricFamily(f"wsgateway_router_{name}", about, value=count)
    for name, value in router.gauges.items():
        about = f"Router {router.kind}: {name.removesuffix('_s').replace('_', ' ')}."
        # the base unit is spelled out: https://prometheus.io/docs/practices/naming/
        full = f"wsgateway_router_{re.sub('_s$', '_seconds', name)}"
        if isinstance(value, dict):
            family = GaugeMetricFamily(full, about, labels=["partition"])
            for label, one in value.items():
                family.add_metric([label], one)
            yield family
        else:
            yield GaugeMetricFamily(full, about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"wsgateway_{name}", about, value=value)


def _counter(name: str, about: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"wsgateway_{name}", about, labels=[label])
    for key, count in counts.items():
        family.add_metric([str(key)], count)
    return family


def _json(status: HTTPStatus, value: dict[str, Any]) -> Response:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
    return _page(status, "application/json", body)


def _page(status: HTTPStatus, content_type: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, body)
