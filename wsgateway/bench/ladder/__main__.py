"""`python -m wsgateway.bench.ladder --rung batching --id g1 --port 8080 --redis URL`: one gateway
of the ladder, until it is killed."""

import asyncio
import sys

from wsgateway.bench.ladder.gateway import Gateway
from wsgateway.bench.ladder.rungs import RUNGS, Rung, rung
from wsgateway.command import Parser


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m wsgateway.bench.ladder", description="One gateway of the ladder.")
    add = made.add_argument
    add("--rung", required=True, choices=[one.name for one in RUNGS if not one.shipped])
    add("--id", required=True, help="gateway id")
    add("--port", required=True, type=int)
    add("--redis", required=True, metavar="URL")
    return made


async def serve(chosen: Rung, gateway_id: str, port: int, url: str) -> None:
    """Serve until killed."""
    server = await Gateway(chosen, gateway_id, url).start(port)
    await server.serve_forever()


def main() -> int:
    """Run the command line."""
    given = parser().parse_args()
    chosen = rung(given.rung)
    with asyncio.Runner(loop_factory=chosen.loop) as runner:
        runner.run(serve(chosen, given.id, given.port, given.redis))
    return 0


if __name__ == "__main__":
    sys.exit(main())
