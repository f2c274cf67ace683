"""What all command lines share: output that any terminal can show, times that make sense."""

import argparse
import errno
import os
import socket
import subprocess
import sys

import pytest

from wsgateway.command import reason, seconds

ASCII = {**os.environ, "PYTHONIOENCODING": "ascii"}


def in_ascii(*command: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run one of our programs where the terminal knows no Chinese."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        env=ASCII,
    )


def test_the_demo_plays_where_there_is_no_chinese() -> None:
    demo = in_ascii("wsgateway.demo")

    assert (demo.returncode, demo.stderr) == (0, "")
    assert r"\u53d1\u7ed9 bob" in demo.stdout
    assert demo.stdout.isascii()


@pytest.mark.parametrize(
    "command",
    ["wsgateway", "wsgateway.brokers", "wsgateway.client", "wsgateway.demo"],
)
def test_help_is_shown_anywhere(command: str) -> None:
    shown = in_ascii(command, "--help")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"usage: python -m {command} ")


def test_a_reader_that_leaves_is_no_traceback() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "wsgateway.demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert demo.stdout is not None
    demo.stdout.readline()
    demo.stdout.close()
    assert demo.stderr is not None
    assert demo.stderr.read() == b""
    demo.stderr.close()
    assert demo.wait(30) == 1


@pytest.mark.parametrize(("text", "value"), [("10", 10.0), ("0.2", 0.2), ("1e3", 1000.0)])
def test_a_time(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "-inf", "", "ten", "1e999"])
def test_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="positive number of seconds"):
        seconds(text)


def test_reasons_are_the_system_s_own_words() -> None:
    refused = f"[Errno {errno.ECONNREFUSED}] Connect call failed ('127.0.0.1', 1)"
    assert reason(OSError(refused)) == os.strerror(errno.ECONNREFUSED)
    several = OSError(f"Multiple exceptions: {refused}, {refused}")
    assert reason(several) == os.strerror(errno.ECONNREFUSED)
    assert reason(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    assert reason(ValueError("odd")) == "odd"
    outer = RuntimeError("wrapped")
    outer.__cause__ = several
    assert reason(outer) == os.strerror(errno.ECONNREFUSED)
