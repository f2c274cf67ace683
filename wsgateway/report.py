"""What a gateway says about itself: the dictionaries behind /health and /stats. No I/O."""

import asyncio
from typing import Any, Protocol

from wsgateway.config import Config
from wsgateway.connection import Connection
from wsgateway.errors import WsGatewayError
from wsgateway.hub import Hub
from wsgateway.presence.lease import Lease
from wsgateway.presence.redis import RedisPresence
from wsgateway.routers.redis import RedisRouter
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
    router: RedisRouter
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
        "router": {"ok": router.ok, "why": router.why, **router.detail},
        "why": why,
    }


def stats_report(gateway: Reported) -> dict[str, Any]:
    """Return the counters and depths of `gateway`. No user ids."""
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
        "router": gateway.router.health().detail,
        "queues": {
            "presence": gateway.presence.waiting,
            "router": gateway.router.health().detail["waiting"],
            "lanes": gateway.sessions.delivery.lanes.waiting,
            "outboxBytes": sum(c.queued_bytes for c in gateway.sessions.connections.values()),
        },
        "routes": len(gateway.sessions.delivery.lanes),
    }
