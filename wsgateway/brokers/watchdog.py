"""Stands between an owner and one child process, so that the child never outlives the owner.

Run as a file, standard library only: `python watchdog.py COMMAND [ARG ...]`. Standard input is
the lifeline: its end means the owner is gone, even if it was SIGKILLed. The first line of
standard output is the child's pid; the child's own output follows. The exit status is the
child's, or 128 + the number of the signal that ended it.
"""

import os
import subprocess
import sys
import threading


def main() -> int:
    """Start the child, guard it, return its exit status."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    print(child.pid, flush=True)
    threading.Thread(target=outlive, args=(child,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def outlive(child: "subprocess.Popen[bytes]") -> None:
    """Wait until the owner is gone, then kill the child."""
    # Why: only a pipe tells of every death. A SIGKILLed owner runs no cleanup, and the parent
    # death signal of Linux does not exist on macOS.
    # 原因：只有管道能感知任何形式的死亡。被 SIGKILL 的属主来不及清理，
    # 而 Linux 的父进程死亡信号在 macOS 上不存在。
    os.read(0, 1)  # not sys.stdin: a thread inside its lock would break the exit
    child.kill()


if __name__ == "__main__":
    sys.exit(main())
