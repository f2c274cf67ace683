"""A gateway or broker killed under a stream of messages, as a command.

`python -m wsgateway.lab.crash --router kafka` sends 20,000 messages to a gateway process that is
killed (SIGKILL) and restarted five times, and prints the ledger.
"""

import asyncio
import os
import sys
import time
from contextlib import ExitStack

from wsgateway.brokers import ApacheKafka, RedisServer, TansuServer
from wsgateway.command import Parser
from wsgateway.config import ROUTERS
from wsgateway.errors import WsGatewayError
from wsgateway.lab.stream import Plan, Stage


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m wsgateway.lab.crash", description=__doc__)
    made.add_argument("--router", choices=ROUTERS, default="kafka")
    made.add_argument(
        "--kafka", default="tansu", metavar="tansu|apache|HOST:PORT", help="which broker (tansu)"
    )
    made.add_argument("--victim", choices=("gateway", "broker", "forever"), default="gateway")
    made.add_argument("--messages", type=int, default=20_000)
    made.add_argument("--pairs", type=int, default=20)
    made.add_argument("--rate", type=float, default=4_000.0)
    made.add_argument("--kills", type=int, default=5)
    made.add_argument("--down-s", type=float, default=0.2, metavar="S")
    made.add_argument("--seed", type=int, default=1)
    return made


async def main() -> int:
    """Run one plan and print its ledger; exit status 1 when something promised was lost."""
    given = vars(parser().parse_args())
    kind = given.pop("kafka")
    plan = Plan(**given)
    if plan.victim == "broker" and kind != "apache":
        raise WsGatewayError("the broker is killed only with --kafka apache: Tansu forgets all")
    with ExitStack() as servers:
        redis = servers.enter_context(RedisServer())
        name, address = redis.name, None
        broker: TansuServer | ApacheKafka | None = None
        if plan.router == "kafka":
            name, address = kind, kind
            if kind in ("tansu", "apache"):
                broker = TansuServer() if kind == "tansu" else ApacheKafka()
                servers.callback(broker.stop)
                await asyncio.to_thread(broker.start)
                name, address = broker.name, broker.address
        print(f"{plan.router} on {name}, {os.cpu_count()} CPUs, seed {plan.seed}", flush=True)
        began_s = time.monotonic()
        async with Stage(plan, redis.url, address, broker) as stage:
            await stage.run()
    totals = stage.ledger.totals()
    took_s = time.monotonic() - began_s
    print(f"{totals}  repeats suppressed by the clients {stage.repeats:,}  in {took_s:.1f} s")
    # A write without an answer is `unknown`, and its retry may come behind later messages.
    overtaken = totals.reordered if plan.victim != "broker" else 0
    return 1 if plan.router == "kafka" and (totals.lost or overtaken) else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except WsGatewayError as error:
        sys.exit(f"wsgateway crash: {error}")
