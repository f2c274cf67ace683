"""`python -m wsgateway.brokers up|status|down`: brokers for several gateways on this machine."""

import asyncio
import sys

from wsgateway.brokers import find, supervisor
from wsgateway.brokers.find_kafka import STANDARD_PORT as KAFKA_PORT
from wsgateway.brokers.find_kafka import identify_kafka
from wsgateway.brokers.supervisor import KAFKAS, Broker, State, Wanted
from wsgateway.command import Parser
from wsgateway.errors import BrokerError, WsGatewayError


def parser() -> Parser:
    """Return the command line."""
    made = Parser(
        prog="python -m wsgateway.brokers",
        description="Run a real Redis-compatible server on this machine, in the background; "
        "with --kafka also a broker that speaks the Kafka protocol.",
        epilog="Exit status: 0 done or running, 1 failed or (status) nothing runs, 2 wrong usage.",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="up|status|down")
    starting = commands.add_parser("up", help="start them and return when they answer")
    starting.add_argument(
        "--port",
        type=int,
        help=f"Redis port on 127.0.0.1; 0 takes a free one (default {find.STANDARD_PORT})",
    )
    starting.add_argument(
        "--kafka",
        nargs="?",
        const="tansu",
        choices=list(KAFKAS),
        help="start this too: tansu (the default; in memory), or apache: Apache Kafka, on the Java "
        "of this machine; the first time Maven fetches it (43 MB)",
    )
    starting.add_argument(
        "--kafka-port",
        type=int,
        help=f"its port; 0 takes a free one (default {KAFKA_PORT})",
    )
    commands.add_parser("status", help="say what runs")
    commands.add_parser("down", help="stop it")
    return made


def up(port: int | None, kafka: str | None, kafka_port: int | None) -> int:
    """Start the brokers unless they run."""
    state = supervisor.running()
    already = "already " if state is not None else ""
    if state is None:
        port = find.STANDARD_PORT if port is None else port
        kafka_port = KAFKA_PORT if kafka_port is None else kafka_port
        state = supervisor.up(Wanted(port, kafka or "", kafka_port))
    else:
        _check_same(state, port, kafka, kafka_port)
    for broker in state.brokers:
        print(f"{already}up: {broker}")
    return 0


def _check_same(state: State, port: int | None, kafka: str | None, kafka_port: int | None) -> None:
    """Refuse to call something up that is not what was asked for."""
    wrong, wanted = state.redis, ""
    if port and _port(state.redis) != port:
        wanted = f"on port {port}"
    elif kafka and state.kafka is None:
        wanted = "with Kafka"
    elif kafka and state.kafka is not None:
        wrong = state.kafka
        if kafka not in wrong.name.lower():
            wanted = f"as {kafka}"
        elif kafka_port and _port(wrong) != kafka_port:
            wanted = f"on port {kafka_port}"
    if wanted:
        raise BrokerError(f"already up: {wrong}, not {wanted}: `down` first")


def _port(broker: Broker) -> int:
    return int(broker.address.rpartition(":")[2])


def status() -> int:
    """Say what runs, and ask it."""
    state = supervisor.running()
    if state is None:
        print("down: no broker was started with `up`")
        return 1
    name = asyncio.run(find.identify(state.redis.address))
    print(f"up: {name} at {state.redis.address}, supervisor pid {state.pid}")
    if state.kafka is not None:
        name = asyncio.run(identify_kafka(state.kafka.address))
        print(f"up: {name} at {state.kafka.address}")
    return 0


def down() -> int:
    """Stop the brokers if they run."""
    state = supervisor.running()
    if state is None:
        print("nothing to stop")
        return 0
    supervisor.down(state)
    for broker in state.brokers:
        print(f"stopped: {broker.name}")
    return 0


def main() -> int:
    """Run the command; return its exit status."""
    arguments = parser().parse_args()
    ports = [getattr(arguments, name, None) for name in ("port", "kafka_port")]
    if ports[1] is not None and arguments.kafka is None:
        parser().error("--kafka-port: needs --kafka")
    try:
        for port in ports:
            if not 0 <= (port or 0) <= 65535:
                raise BrokerError(f"port {port}: must be 0 to 65535")
        commands = {
            "up": lambda: up(arguments.port, arguments.kafka, arguments.kafka_port),
            "status": status,
            "down": down,
        }
        with supervisor.one_command():
            return commands[arguments.command]()
    except WsGatewayError as error:
        print(f"wsgateway brokers: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
