"""Stands between an owner and one child process, so that the child never outlives the owner.

Run as a file, standard library only: `python -I -S watchdog.py REPORT SCRATCH COMMAND [ARG ...]`.
Standard input is the lifeline: its end means the owner is gone, even if it was SIGKILLed; then
the child is killed and the directory SCRATCH (if not empty text) removed. To the file descriptor
REPORT goes the child's pid, or why it cannot run; standard output is the child's alone. The exit
status is the child's, or 128 + the number of the signal that ended it.
"""

import os
import select
import shutil
import signal
import subprocess
import sys

_LIFELINE = 0


def main(report: int, scratch: str, command: list[str]) -> int:
    """Start the child, guard it, return its exit status."""
    wake, wakeup = os.pipe()
    for end in (wake, wakeup):
        os.set_blocking(end, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wakeup)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        os.write(report, f"{error.strerror}\n".encode())
        return 127
    os.write(report, f"{child.pid}\n".encode())
    os.close(report)
    guard(child, wake)
    status = child.wait()
    if scratch and owner_gone():
        shutil.rmtree(scratch, ignore_errors=True)
    return status if status >= 0 else 128 - status


def guard(child: "subprocess.Popen[bytes]", wake: int) -> None:
    """Wait for the end of the child; kill it at the end of its owner, or of this process."""
    # Why: only a pipe tells of every death. A SIGKILLed owner runs no cleanup, and the parent
    # death signal of Linux does not exist on macOS. One thread both reaps and kills, so that a
    # recycled pid is never killed.
    # 原因：只有管道能感知任何形式的死亡。被 SIGKILL 的属主来不及清理，而 Linux 的父进程死亡
    # 信号在 macOS 上不存在。回收和杀死都在同一个线程里做，因此绝不会误杀被复用的 pid。
    while child.poll() is None:
        ready, _, _ = select.select([_LIFELINE, wake], [], [])
        signals = set(os.read(wake, 4096)) if wake in ready else set()
        if _LIFELINE in ready or signals - {signal.SIGCHLD}:
            child.kill()
            return


def owner_gone() -> bool:
    """Whether the lifeline has ended; nothing is ever written to it."""
    return bool(select.select([_LIFELINE], [], [], 0)[0])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
