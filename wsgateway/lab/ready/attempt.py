"""Starting one more gateway process, with settings that may be wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wsgateway.errors import WsGatewayError
from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loop import shared_loop
from wsgateway.process import GatewayProcess

_PATIENCE_S = 40.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a start went.

    Args:
        ready: whether the gateway accepted clients; it is stopped again.
        said: its own last words, if not.
    """

    ready: bool
    said: str


def attempt(settings: Mapping[str, Any]) -> Attempt:
    """Start a gateway process, and stop it again.

    Args:
        settings: by the names of `wsgateway.config.Config`; `gateway_id` and `redis` at least.
    """
    return shared_loop().run(_attempt(dict(settings)), _PATIENCE_S)


async def _attempt(settings: dict[str, Any]) -> Attempt:
    gateway_id, redis = str(settings.pop("gateway_id")), str(settings.pop("redis"))
    flags = [
        word
        for name, value in settings.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    gateway = GatewayProcess(gateway_id, redis=redis, flags=flags)
    try:
        await gateway.start()
        return Attempt(True, "")
    except WsGatewayError as error:
        return Attempt(False, str(error).rpartition("wsgateway: ")[2])
    finally:
        await gateway.aclose()


def planted(cluster: Cluster) -> dict[str, Any]:
    """Return settings of a third gateway for this cluster, one of them wrong.

    Args:
        cluster: with gateways in this kernel.
    """
    neighbour = next(iter(cluster.gateways.values()))
    return {
        "gateway_id": "g3",
        "redis": neighbour.config.redis,
        "key_prefix": neighbour.config.key_prefix,
        "port": int(neighbour.url.rpartition(":")[2].partition("/")[0]),
    }
