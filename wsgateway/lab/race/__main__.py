"""Walk through every order in which the operations on one presence record may happen.

Without --design all four are compared. Where a promise can be broken, the shortest way is printed.
"""

import sys
import time
from argparse import Namespace
from pathlib import Path

from wsgateway.brokers import RedisServer
from wsgateway.command import Parser, reader_left
from wsgateway.errors import WsGatewayError
from wsgateway.lab.race.designs import DESIGNS, Design
from wsgateway.lab.race.explorer import Exploration, explore
from wsgateway.lab.race.invariants import TITLES, Invariant
from wsgateway.lab.race.lua import design_from_lua, differences
from wsgateway.lab.race.record import Op
from wsgateway.lab.race.world import FAULTS, Fault


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m wsgateway.lab.race", description=__doc__)
    add = made.add_argument
    add("--design", choices=tuple(DESIGNS), help="one of ours [all]")
    add("--lua", type=Path, metavar="DIR", help="yours: register.lua, refresh.lua, cleanup.lua")
    add("--sessions", type=int, default=2, choices=(1, 2, 3), help="of one user [2]")
    add("--beats", type=int, default=1, choices=(0, 1, 2), help="refreshes of each [1]")
    add("--without", type=_faults, default=frozenset(), metavar="FAULT[,...]", help=_names(FAULTS))
    add("--with", dest="also", type=_faults, default=frozenset(), metavar="FAULT[,...]")
    add("--lag", type=int, default=1, choices=(1, 2, 3), help="changes a replica may miss [1]")
    add("--at-once", action="store_true", help="do not wait until what was lost has healed")
    add("--check", action="store_true", help="compare the models with the Lua on a real server")
    made.epilog = f"Not explored unless asked for: --with {Fault.SERVER_CLOCK}."
    return made


def main() -> int:
    """Explore and print; exit status 1 when a design breaks a promise, or differs from its Lua."""
    given = parser().parse_args()
    if given.lua is None and not given.check:
        return _explore(_chosen(given), given)
    with RedisServer() as server:
        if given.check:
            return _check(_chosen(given), given, server)
        sources = {op: (given.lua / f"{op}.lua").read_text("utf-8") for op in Op}
        design = design_from_lua(given.lua.name, server.url, **sources)
        return _explore([design], given)


def _explore(designs: list[Design], given: Namespace) -> int:
    broken = False
    for design in designs:
        began_s = time.monotonic()
        faults = (FAULTS - given.without) | given.also
        found = explore(
            design, given.sessions, faults, beats=given.beats, lag=given.lag, heal=not given.at_once
        )
        broken = broken or found.counterexample is not None
        print(f"{design.title_en}  ({design.name})")
        print(_counts(found) + f" in {time.monotonic() - began_s:.1f} s")
        for name, trace in found.shortest.items():
            title = TITLES[Invariant(name)][0]
            print(f"  {found.bad[name]:,} break: {title} ({len(trace.steps)} steps)")
        if found.counterexample is not None:
            print("\n" + str(found.counterexample))
        print()
    return int(broken)


def _check(designs: list[Design], given: Namespace, server: RedisServer) -> int:
    differ = False
    for design in designs:
        faults = (FAULTS - given.without) | given.also
        count, lines = differences(design, server.url, sessions=given.sessions, faults=faults)
        differ = differ or bool(lines)
        print(f"{design.name}: {count:,} operations on {server.name}, {len(lines)} differ")
        print("".join(f"  {line}\n" for line in lines), end="")
    return int(differ)


def _chosen(given: Namespace) -> list[Design]:
    return [DESIGNS[given.design]] if given.design else list(DESIGNS.values())


def _counts(found: Exploration) -> str:
    return (
        f"  {found.schedules:,} schedules through {found.states:,} situations, "
        f"{found.bad['any']:,} break a promise,"
    )


def _faults(text: str) -> frozenset[Fault]:
    return frozenset(Fault(name) for name in text.split(","))


def _names(faults: frozenset[Fault]) -> str:
    return "of " + ", ".join(sorted(faults))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(reader_left())
    except (WsGatewayError, ValueError, OSError) as error:
        sys.exit(f"wsgateway race: {error}")
