"""`python -m wsgateway.lab.reconnect`: kill gateways under 1,000 clients, and tell how they return.

`--markdown FILE` writes the page of both languages; without it, the page is printed. Takes a
minute. Everything is real and private: a Redis-compatible server, gateways, clients.
"""

import asyncio
import sys
from pathlib import Path

from wsgateway.bench import machine
from wsgateway.brokers import RedisServer
from wsgateway.command import Parser
from wsgateway.errors import WsGatewayError
from wsgateway.lab.reconnect import live, results
from wsgateway.lab.reconnect.policies import POLICIES
from wsgateway.lab.reconnect.simulate import OUTAGE, simulate

_SEEDS = range(1, 21)


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m wsgateway.lab.reconnect", description=__doc__)
    made.add_argument("--clients", type=int, default=1_000, help="of each group (1000)")
    made.add_argument("--seed", type=int, default=8, help="of the clients' waits (8)")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the page there")
    return made


async def measured(clients: int, seed: int, command: str) -> str:
    """Live through everything; return the page."""
    with RedisServer() as redis:
        outages = {}
        for name in POLICIES:
            print(f"an outage, {clients:,} clients, schedule: {name}", file=sys.stderr, flush=True)
            outages[name] = await live.restart(redis.url, redis.name, [name], clients, seed)
        print(f"a crash beside a drain, {clients:,} clients each", file=sys.stderr, flush=True)
        part = await live.part(redis.url, redis.name, clients, seed)
    model = {
        name: [simulate(policy.delay_s, one) for one in _SEEDS] for name, policy in POLICIES.items()
    }
    return results.page(command, outages, part, model, OUTAGE, machine.facts())


def main() -> int:
    """Run the command; return its exit status: 0 all came back, 1 failed."""
    given = parser().parse_args()
    command = "python -m wsgateway.lab.reconnect"
    if given.markdown is not None:
        command += f" --markdown {given.markdown.as_posix()}"
    try:
        page = asyncio.run(measured(given.clients, given.seed, command))
    except WsGatewayError as error:
        print(f"wsgateway reconnect: {error}", file=sys.stderr)
        return 1
    if given.markdown is None:
        print(page)
    else:
        given.markdown.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
