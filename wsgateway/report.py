"""What a gateway says about itself: the dictionaries behind /health and /stats. No I/O."""

import asyncio
from typing import Any, Protocol

from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.errors import WsGatewayError
from wsgateway.hub import Hub
from wsgateway.presence.lease import Lease
from wsgateway.presence.redis import RedisPresence
from wsgateway.routers.base import Router, RouterHealth
from wsgateway.sessions import Sessions
from wsgateway.stats import Stats


class Reported(Protocol):
    """The parts of a gateway that are reported on."""

    config: Config
    counts: Stats
    draining: bool
    failure: WsGatewayError | None
    hub: Hub[Connection]
    lease: Lease
    presence: RedisPresence
    router: Router
    sessions: Sessions
    started_s: float


def health_report(gateway: Reported) -> dict[str, Any]:
    """Return whether `gateway` can do its work, dependency by dependency, and why not."""
    router = gateway.router.health()
    redis_why = gateway.lease.failure
    why = [text for text in (redis_why, router.why) if text]
    if gateway.failure is not None:
        why.append(str(gateway.failure))
    if gateway.draining:
        why.append("draining")
    return {
        "status": "degraded" if why else "ok",
        "gateway": gateway.config.gateway_id,
        "redis": {"ok": redis_why is None, "why": redis_why},
        "router": {"ok": router.ok, "why": router.why, **_numbers(router)},
        "why": why,
    }


def stats_report(gateway: Reported) -> dict[str, Any]:
    """Return the counters and depths of `gateway`. No user ids."""
    router = gateway.router.health()
    uptime_s = asyncio.get_running_loop().time() - gateway.started_s
    return {
        "gateway": gateway.config.gateway_id,
        "uptimeS": round(uptime_s, 3),
        "connections": len(gateway.sessions.connections),
        "users": len(gateway.hub),
        "messages": gateway.counts.messages(),
        "refused": dict(gateway.counts.refused),
        "closed": {str(code): count for code, count in gateway.counts.closed.items()},
        "presence": dict(gateway.presence.operations),
        "router": _numbers(router),
        "queues": {
            "presence": gateway.presence.waiting,
            "router": router.waiting,
            "lanes": gateway.sessions.delivery.lanes.waiting,
            "outboxBytes": sum(c.queued_bytes for c in gateway.sessions.connections.values()),
        },
        "routes": len(gateway.sessions.delivery.lanes),
    }


def _numbers(router: RouterHealth) -> dict[str, Any]:
    """Return a router's numbers under their JSON names."""
    numbers = {**router.counters, **router.gauges, "waiting": router.waiting}
    return {"kind": router.kind, **{_camel(name): value for name, value in numbers.items()}}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
