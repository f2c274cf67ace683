"""`python -m wsgateway.brokers up|status|down`: brokers for several gateways on this machine."""

import asyncio
import sys
from urllib.parse import urlsplit

from wsgateway.brokers import supervisor
from wsgateway.brokers.find import STANDARD_PORT, identify
from wsgateway.command import Parser
from wsgateway.errors import BrokerError, WsGatewayError


def parser() -> Parser:
    """Return the command line."""
    made = Parser(
        prog="python -m wsgateway.brokers",
        description="Run a real Redis-compatible server on this machine, in the background.",
        epilog="Exit status: 0 done or running, 1 failed or (status) nothing runs, 2 wrong usage.",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="up|status|down")
    starting = commands.add_parser("up", help="start it and return when it answers")
    starting.add_argument(
        "--port",
        type=int,
        help=f"Redis port on 127.0.0.1; 0 takes a free one (default {STANDARD_PORT})",
    )
    commands.add_parser("status", help="say what runs")
    commands.add_parser("down", help="stop it")
    return made


def up(port: int | None) -> int:
    """Start the brokers unless they run."""
    state = supervisor.running()
    if state is not None:
        if port and urlsplit(state.url).port != port:
            raise BrokerError(f"already up at {state.url}, not on port {port}: `down` first")
        print(f"already up: {state.name} at {state.url}")
        return 0
    state = supervisor.up(STANDARD_PORT if port is None else port)
    print(f"up: {state.name} at {state.url}")
    return 0


def status() -> int:
    """Say what runs, and ask it."""
    state = supervisor.running()
    if state is None:
        print("down: no broker was started with `up`")
        return 1
    name = asyncio.run(identify(state.url))
    print(f"up: {name} at {state.url}, supervisor pid {state.pid}")
    return 0


def down() -> int:
    """Stop the brokers if they run."""
    state = supervisor.running()
    if state is None:
        print("nothing to stop")
        return 0
    supervisor.down(state)
    print(f"stopped: {state.name}")
    return 0


def main() -> int:
    """Run the command; return its exit status."""
    arguments = parser().parse_args()
    try:
        if not 0 <= (getattr(arguments, "port", None) or 0) <= 65535:
            raise BrokerError(f"port {arguments.port}: must be 0 to 65535")
        commands = {"up": lambda: up(arguments.port), "status": status, "down": down}
        with supervisor.one_command():
            return commands[arguments.command]()
    except WsGatewayError as error:
        print(f"wsgateway brokers: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
