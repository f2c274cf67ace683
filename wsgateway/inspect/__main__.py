"""`python -m wsgateway.inspect presence alice`: what Redis and Kafka hold, without touching it."""

import argparse
import asyncio
import os
import sys
from dataclasses import fields

import msgspec

from wsgateway import logs
from wsgateway.command import Parser, reader_left
from wsgateway.config import Config, env_name
from wsgateway.errors import ConfigError, WsGatewayError
from wsgateway.inspect.facts import Report
from wsgateway.inspect.look import Look
from wsgateway.inspect.show import lines
from wsgateway.protocol import is_id

# Where gateways keep their state; the other settings are not ours to know.
_SETTINGS = ("router", "redis", "kafka", "key_prefix", "redis_timeout_s")
_LOGIN = ("kafka_security_", "kafka_sasl_", "kafka_ssl_")
_ABOUT = {
    "redis": f"Redis URL [localhost:6379; {env_name('redis')}]",
    "kafka": f"HOST:PORT[,HOST:PORT] [localhost:9092; {env_name('kafka')}]",
}
_MOST_LETTERS = 1000


def parser() -> Parser:
    """Return the command line; settings may stand before the command or after it."""
    made = Parser(
        prog="python -m wsgateway.inspect",
        parents=[_settings()],
        description="Look at what gateways keep in Redis and Kafka. Changes nothing, and starts "
        "nothing. Every setting is also an environment variable, as for a gateway.",
        epilog="Exit status: 0 answered, 1 a broker cannot be asked, 2 wrong usage.",
    )
    names = "presence|gateways|topics|lag|dead-letters"
    commands = made.add_subparsers(dest="command", required=True, metavar=names)

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=about,
            description=about,
            parents=[_settings(shown=False)],
            epilog="Settings and --json: see python -m wsgateway.inspect --help.",
        )

    add("presence", "where a user is connected").add_argument("user", type=_an_id)
    add("gateways", "every gateway: its lease, its users, its channel or topic")
    add("topics", "topics with their offsets; on Redis the channels")
    add("lag", "what is not committed, by partition").add_argument(
        "gateway", nargs="?", type=_an_id, help="only the topic of this one"
    )
    letters = add("dead-letters", "messages that could not be delivered, and why")
    letters.add_argument(
        "--last",
        metavar="N",
        type=_a_count,
        default=20,
        help=f"the newest N, at most {_MOST_LETTERS} [20]",
    )
    letters.add_argument("--content", action="store_true", help="show what they say, too")
    return made


def _settings(*, shown: bool = True) -> Parser:
    # Why no defaults here: the same flag is known before and after the command, and the default
    # of the second would overwrite what was given as the first.
    # 原因：这里不设默认值。同一个选项写在命令之前或之后都认，
    # 后者的默认值会覆盖前者给出的值。
    made = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    for one in fields(Config):
        if one.name in _SETTINGS or one.name.startswith(_LOGIN):
            about = f"{one.metadata['about']} [{env_name(one.name)}]"
            made.add_argument(
                f"--{one.name.replace('_', '-')}",
                metavar=one.name.rpartition("_")[2].upper(),
                help=_ABOUT.get(one.name, about) if shown else argparse.SUPPRESS,
            )
    about = "one JSON object, for machines" if shown else argparse.SUPPRESS
    made.add_argument("--json", action="store_true", help=about)
    return made


def _an_id(text: str) -> str:
    if not is_id(text):
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    return text


def _a_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_LETTERS):
        raise argparse.ArgumentTypeError(f"{text!r}: must be 1 to {_MOST_LETTERS}")
    return int(text)


async def ask(given: argparse.Namespace, config: Config) -> Report:
    """Return the answer to what was asked for.

    Raises:
        WsGatewayError: there is none; the text says why.
    """
    look = Look(config)
    match given.command:
        case "presence":
            return await look.presence(given.user)
        case "gateways":
            return await look.gateways()
        case "topics":
            return await look.topics()
        case "lag":
            return await look.lag(given.gateway)
        case _:
            return await look.dead_letters(given.last, with_content=given.content)


def main() -> int:
    """Run the command; return its exit status: 0 answered, 1 cannot ask, 2 wrong usage."""
    given = parser().parse_args()
    logs.configure("error", "text")
    try:
        report = asyncio.run(ask(given, Config.from_sources(vars(given), os.environ)))
        if "json" in given:
            print(msgspec.json.format(msgspec.json.encode(report)).decode())
        else:
            print("\n".join(lines(given.command, report)))
        sys.stdout.flush()
    except WsGatewayError as error:
        print(f"wsgateway: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except BrokenPipeError:
        return reader_left()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
