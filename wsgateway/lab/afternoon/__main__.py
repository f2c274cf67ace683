"""Lesson 6's afternoon on a terminal: both modes, the same script, the same seed.

`python -m wsgateway.lab.afternoon --seed 7` takes about 15 seconds and prints two ledgers.
"""

import asyncio
import os
import sys

from wsgateway.command import Parser
from wsgateway.errors import WsGatewayError
from wsgateway.lab import logbook
from wsgateway.lab.afternoon.diary import Diary
from wsgateway.lab.afternoon.live import both
from wsgateway.lab.afternoon.script import AFTERNOON


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m wsgateway.lab.afternoon", description=__doc__)
    made.add_argument("--seed", type=int, default=6, help="of the moments of sending (6)")
    made.add_argument("--kafka", choices=("tansu", "apache"), default="tansu", help="(tansu)")
    return made


def tell(diary: Diary) -> None:
    """Print the ledger of one mode, kind by kind."""
    print(f"{diary.mode} on {diary.broker}")
    for outage in diary.outages:
        print(
            f"  {outage.begin_s:4.1f} to {outage.end_s:4.1f} s: "
            f"{outage.trouble.victim} {outage.done}"
        )
    for kind in AFTERNOON.kinds:
        print(f"  {kind.name:<7} {diary.totals(kind.name)}  stale {diary.stale(kind.name)}")
    print(f"  repeats suppressed by the clients {diary.repeats}")


def main() -> int:
    """Live through the afternoon; exit status 1 when Kafka lost what it had accepted."""
    given = parser().parse_args()
    logbook.keep()  # a client that is cut off says so, again and again
    print(f"{os.cpu_count()} CPUs, seed {given.seed}", flush=True)
    try:
        diaries = asyncio.run(both(AFTERNOON, given.seed, apache=given.kafka == "apache"))
    except WsGatewayError as error:
        print(f"wsgateway afternoon: {error}", file=sys.stderr)
        return 1
    for diary in diaries.values():
        tell(diary)
    return 1 if diaries["kafka"].totals().lost else 0


if __name__ == "__main__":
    sys.exit(main())
