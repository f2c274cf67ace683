"""What the tests of child processes share: waiting for an end, and owners to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    """Poll `condition` until it holds or the deadline passes; return whether it holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return condition()


def is_gone(pid: int) -> bool:
    """Whether no such process exists, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@contextmanager
def owner(source: str) -> "Iterator[subprocess.Popen[str]]":
    """A Python process that runs `source`; read what it prints. Killed at the end."""
    command = [sys.executable, "-c", source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def read_line(process: "subprocess.Popen[str]") -> str:
    """Return the next line that `process` prints, without its end."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")
