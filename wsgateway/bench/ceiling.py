"""What the load processes themselves can do, measured against a bare relay."""

from dataclasses import replace

from wsgateway.bench.relay import relay_target
from wsgateway.bench.run import run
from wsgateway.bench.screen import Screen
from wsgateway.bench.shape import Outcome, Shape


async def ceiling(shape: Shape, screen: Screen) -> Outcome:
    """Return what the same load reaches when the server does next to nothing."""
    shape = replace(shape, across=False, nodes=min(shape.nodes, 2), idle_users=0)
    with screen.bar("bare relay") as move:
        return await run(relay_target(), shape, progress=move)
