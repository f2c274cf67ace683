"""A child process that dies with its owner, however the owner dies."""

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from wsgateway.errors import BrokerError

_WATCHDOG = (sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py")))
_lifelines: "weakref.WeakSet[IO[bytes]]" = weakref.WeakSet()


def _disown() -> None:
    # Why: a fork (multiprocessing) copies the lifeline; a copy left open in a fork that outlives
    # the owner would hide the owner's death from the watchdog.
    # 原因：fork（如 multiprocessing）会复制这条生命线；若 fork 出的进程比属主活得久，
    # 又一直开着副本，看门狗就察觉不到属主已死。
    for lifeline in list(_lifelines):
        lifeline.close()


if hasattr(os, "register_at_fork"):  # not on Windows, where everything can be imported
    os.register_at_fork(after_in_child=_disown)


class Child:
    """One process behind a watchdog, in a session of its own (Ctrl-C does not reach it).

    Args:
        command: program and arguments.
        log: file for its standard error.
        env: environment to add to ours.
        scratch: directory that goes when this object closes it, or when its owner dies.

    Raises:
        BrokerError: the program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        scratch: Path | None = None,
    ) -> None:
        lifeline, ours = os.pipe()
        # Why: our own file, not `Popen.stdin`: `subprocess` keeps forgotten processes alive in a
        # list, while a forgotten `Child` closes this file, and so ends its process.
        # 原因：用自己的文件而不用 `Popen.stdin`：`subprocess` 会把被遗忘的进程留在列表里，
        # 而被遗忘的 `Child` 会关闭这个文件，其进程也就随之结束。
        self._lifeline = os.fdopen(ours, "wb", 0)
        _lifelines.add(self._lifeline)
        # Why: a pipe of its own for the pid; to standard output a quick child may write first.
        # 原因：pid 单独走一条管道；若走标准输出，动作快的子进程可能抢先写入。
        reading, report = os.pipe()
        with os.fdopen(reading) as reports:
            try:
                with log.open("ab") as errors:
                    self._watchdog = subprocess.Popen(
                        [*_WATCHDOG, str(report), str(scratch or ""), *command],
                        stdin=lifeline,
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        env={**os.environ, **(env or {})},
                        pass_fds=[report],
                        start_new_session=True,
                    )
            finally:
                os.close(lifeline)
                os.close(report)
            told = reports.readline().strip()
        if not told.isdigit():
            self.close()
            raise BrokerError(f"cannot run {command[0]}: {told or 'its watchdog ended at once'}")
        self.pid = int(told)

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
        # 同生共死，它还在，pid 就仍属于子进程；除非系统的 pid 恰在那一瞬间全轮过一遍，否则不会错。
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
        self._lifeline.close()
        self._watchdog.wait()
        self.output.close()
