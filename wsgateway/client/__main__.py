"""`python -m wsgateway.client --user alice`: a chat in the terminal, or fed by a pipe."""

import argparse
import asyncio
import os
import sys
from contextlib import nullcontext

from wsgateway.client.chat import Chat
from wsgateway.client.client import Client
from wsgateway.client.errors import RegisterRefused
from wsgateway.client.options import Options
from wsgateway.client.terminal import LineEditor, Screen, keys_at_once, plain_lines, typed_lines
from wsgateway.command import Parser, reader_left, seconds
from wsgateway.errors import ConfigError, WsGatewayError
from wsgateway.protocol import is_id

_DEFAULT_GATEWAY = "ws://localhost:8080/ws"


def parser() -> Parser:
    """Return the command line."""
    made = Parser(
        prog="python -m wsgateway.client",
        description="Chat in the terminal, or send the lines of a pipe. /help lists the commands.",
    )
    made.add_argument("--user", required=True, help="your user id, [A-Za-z0-9_-]{1,64}")
    made.add_argument(
        "--gateway",
        action="append",
        metavar="URL",
        help=f"where to connect; repeat it to name more [{_DEFAULT_GATEWAY}]",
    )
    made.add_argument(
        "--to", type=_user_id, metavar="USER", help="the first addressee, as /to does [none]"
    )
    made.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="S",
        help="deadline of a send, seconds [10]",
    )
    made.add_argument(
        "--connect-timeout",
        type=seconds,
        default=15.0,
        metavar="S",
        help="give up if not connected within, seconds [15]",
    )
    return made


def _user_id(text: str) -> str:
    if not is_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a user id, [A-Za-z0-9_-]{{1,64}}")
    return text


async def chat(args: argparse.Namespace) -> int:
    """Chat until the input ends; return the exit status: 1 if a piped line could not be sent.

    Raises:
        WsGatewayError: it could not connect, or the user was replaced.
    """
    fd = sys.stdin.fileno()
    interactive = os.isatty(fd) and sys.stdout.isatty() and os.name == "posix"
    editor = LineEditor()
    screen = Screen(editor if interactive else None)
    # Why: a script wants its statuses in the order of its lines; a person wants to type on.
    # 原因：脚本希望状态按行的顺序返回；人则希望不用等待就能继续输入。
    talk = Chat(screen, to=args.to, timeout_s=args.timeout, at_once=16 if interactive else 1)
    gateways = args.gateway or [_DEFAULT_GATEWAY]
    options = Options(connect_timeout_s=args.connect_timeout)
    lines = typed_lines(fd, editor, screen) if interactive else plain_lines(fd)
    failure: BaseException | None = None
    with keys_at_once(fd) if interactive else nullcontext():
        try:
            async with Client(args.user, gateways, on_event=talk.tell, options=options) as client:
                await talk.run(client, lines)
        except* (WsGatewayError, BrokenPipeError) as group:
            failure = group
        finally:
            screen.leave()
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if failure is not None:
        raise failure
    return 1 if talk.failed and not interactive else 0


def main() -> int:
    """Run the command; return its exit status: 0 all sent, 1 failed, 2 wrong flags."""
    args = parser().parse_args()
    try:
        return asyncio.run(chat(args))
    except (ConfigError, RegisterRefused) as error:
        print(f"wsgateway.client: {error}", file=sys.stderr)
        return 2
    except WsGatewayError as error:
        print(f"wsgateway.client: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return reader_left()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
