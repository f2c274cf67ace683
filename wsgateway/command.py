"""What the command lines have in common."""

import argparse
import io
import math
import os
import re
import socket
import sys
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as all our errors do; exit status 2.

    From when one is made, what the terminal cannot show is printed escaped.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Why: every command line makes a parser first, and may print Chinese, be it a help text
        # or another user's words. Where the encoding has none (PYTHONIOENCODING=ascii, an old
        # locale) print would raise in the middle of the work.
        # 原因：每个命令行程序都先创建解析器，也都可能打印中文：帮助文本，或别的用户写的话。
        # 若终端编码不支持（PYTHONIOENCODING=ascii、老的区域设置），print 会在干活途中抛异常。
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a notebook's is another
                stream.reconfigure(errors="backslashreplace")

    def error(self, message: str) -> NoReturn:
        """Print one line to standard error and end the program."""
        self.exit(2, f"wsgateway: {message} (--help shows all flags)\n")


def seconds(text: str) -> float:
    """Return a flag's value as a time, for `add_argument(type=seconds)`.

    Raises:
        ArgumentTypeError: not a positive, finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def reason(error: BaseException) -> str:
    """Return the system's own words for why a connection failed, else the error's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return cause.strerror or "no such host"
        # asyncio joins the failures of several addresses into one text without a number
        number = re.search(r"\[Errno (\d+)\]", str(cause))
        if number is not None:
            return os.strerror(int(number[1]))
        cause = cause.__cause__ or cause.__context__
    return str(error)


def reader_left() -> int:
    """Return the exit status after a `BrokenPipeError`: whoever read our output is gone."""
    # Python flushes stdout once more at exit; pointed elsewhere, that is quiet.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
