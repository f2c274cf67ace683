"""`python -m wsgateway.bench latency`: measure this gateway on this machine, and verify it."""

import argparse
import asyncio
import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wsgateway.command import Parser
from wsgateway.errors import WsGatewayError

if TYPE_CHECKING:
    from wsgateway.bench.findings import Findings
    from wsgateway.bench.screen import Screen

_COMMANDS = {
    "latency": "one-way latency at a low, steady load, beside a bare hop over the same broker",
    "throughput": "the most messages per second, and latency against load",
    "connections": "memory and CPU time of connections that say nothing",
    "overload": "three times what it can do: is every message answered, do others suffer",
    "soak": "a long mixed load: does memory grow",
    "compare": "this gateway and others, interleaved",
    "ladder": "from the plain design to this one, a step at a time",
    "waterfall": "where the microseconds of one message go",
    "profile": "where a loaded gateway spends its CPU time",
}
_NEEDED = ("aiokafka", "picows", "psutil", "rich", "uvloop", "matplotlib", "zhplot")
INTERRUPTED = 130


class Command(Protocol):
    """A module of this package, named like the command."""

    def add_flags(self, parser: Parser) -> None:
        """Add the command's own flags."""

    async def perform(self, given: argparse.Namespace, screen: "Screen") -> "Findings":
        """Measure.

        Raises:
            WsGatewayError: it cannot be measured; the text says why.
        """


def parser() -> Parser:
    """Return the command line."""
    from wsgateway.bench.flags import add_common

    made = Parser(
        prog="python -m wsgateway.bench",
        description="Start real gateways and brokers, load them from other processes, verify that "
        "every message arrives once and in order, and print what it cost.",
        epilog="Exit status: 0 verified, 1 something was lost, doubled or reordered, or did not "
        "run, 2 wrong usage.",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, about in _COMMANDS.items():
        command = _command(name)
        if command is not None:
            added = commands.add_parser(name, help=about, description=about)
            command.add_flags(added)
            add_common(added)
    return made


def _command(name: str) -> Command | None:
    """Return the module of a command; None if this installation has it not."""
    if find_spec(f"wsgateway.bench.{name}") is None:
        return None
    module: Any = importlib.import_module(f"wsgateway.bench.{name}")
    command: Command = module
    return command


async def perform(given: argparse.Namespace) -> int:
    """Run the command, print what it found, write the files; return the exit status."""
    from wsgateway.bench import machine
    from wsgateway.bench.screen import Screen

    screen = Screen()
    facts = machine.facts()
    screen.say(
        f"{facts['usable_cores']} cores, {facts['cpu']}, Python {facts['python']}, "
        f"load average {facts['load_average'][0]}, seed {given.seed}"
    )
    for file in (given.json, given.plot):
        if file:
            _touch(file)  # now, and not when the work is done
    command = _command(given.command)
    assert command is not None  # or the parser would not know it
    found = await command.perform(given, screen)
    for table in found.tables:
        screen.table(table)
    _write(given, facts, found)
    for fault in found.faults:
        screen.say(f"fault: {fault}", style="bold red")
    if not found.faults:
        screen.say("verified: every message exactly once and in order, or refused with a code")
    return 1 if found.faults else 0


def _touch(file: str) -> None:
    Path(file).touch()


def _write(given: argparse.Namespace, facts: dict[str, Any], found: "Findings") -> None:
    """Write the files that were asked for."""
    from wsgateway.bench import record

    if given.json:
        arguments = {name: value for name, value in vars(given).items() if name != "command"}
        made = record.document(given.command, arguments, facts, found)
        Path(given.json).write_bytes(record.encoded(made))
    if given.plot and found.plot is not None:
        Path(given.plot).write_bytes(found.plot())


def main() -> int:
    """Run the command line; return its exit status."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        print(f"wsgateway: {what} missing: pip install 'wsgateway[bench]'", file=sys.stderr)
        return 1
    try:
        # Here, since loading what draws takes a second in which Ctrl-C may come.
        given = parser().parse_args()
        return asyncio.run(perform(given))
    except WsGatewayError as error:
        print(f"wsgateway: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # the files
        print(f"wsgateway: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
