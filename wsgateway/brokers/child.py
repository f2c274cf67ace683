"""A child process that dies with its owner, however the owner dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from wsgateway.errors import BrokerError

_WATCHDOG = Path(__file__).with_name("watchdog.py")


class Child:
    """One process behind a watchdog, in a session of its own (Ctrl-C does not reach it).

    Args:
        command: program and arguments.
        log: file for its standard error.
        env: environment to add to ours.

    Raises:
        BrokerError: the program cannot be started.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        with log.open("ab") as errors:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-S", str(_WATCHDOG), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        first = self.output.readline()
        if not first:
            self.close()
            raise BrokerError(f"cannot run {command[0]}")
        self.pid = int(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def output(self) -> IO[bytes]:
        """Its standard output."""
        assert self._watchdog.stdout is not None
        return self._watchdog.stdout

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._watchdog.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens once it has ended."""
        # Why: sent from here and not through the watchdog, so that it has been sent when this
        # returns. The watchdog ends with the child, so while it runs the pid is the child's; to
        # be wrong, every pid of the system would have to be used up within that last moment.
        # 原因：信号从这里直接发，而不经看门狗转发，这样返回时信号一定已发出。看门狗与子进程
        # 同生共死，它还在则 pid 仍属于子进程；要出错，除非系统的 pid 在那一瞬间全部轮过一遍。
        if self.running:
            with suppress(ProcessLookupError):  # it ended this very moment
                os.kill(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until it has ended; return its exit status, 128 + number for a signal.

        Raises:
            TimeoutError: it still runs.
        """
        try:
            return self._watchdog.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"process {self.pid} still runs after {timeout_s} s") from None

    def close(self) -> None:
        """Kill it if it still runs, and reap it. Safe to call twice."""
        lifeline = self._watchdog.stdin
        assert lifeline is not None
        with suppress(BrokenPipeError):
            lifeline.close()
        self._watchdog.wait()
        self.output.close()
