"""What a gateway says about itself: the dictionaries behind /health and /stats. No I/O."""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgateway.gateway import Gateway


def health_report(gateway: "Gateway") -> dict[str, Any]:
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


def stats_report(gateway: "Gateway") -> dict[str, Any]:
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
