"""Stands between an owner and one child process, so that the child never outlives the owner.

Run as a file, standard library only: `python watchdog.py COMMAND [ARG ...]`. Standard input is
the lifeline: each line is a signal number to pass on, and its end means the owner is gone, even
if it was SIGKILLed. The first line of standard output is the child's pid; the child's own output
follows. The exit status is the child's,
or 128 + the number of the signal that ended it.
"""

import subprocess
import sys
import threading


def main() -> int:
    """Start the child, guard it, return its exit status."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    print(child.pid, flush=True)
    # Why: only the parent of a process knows that its pid still means it, so every signal goes
    # through here: Popen drops signals once it has reaped the child.
    # 原因：只有父进程才能确定 pid 仍指向原来的进程，所以信号都从这里转发；
    # 子进程被回收之后，Popen 会丢弃信号。
    threading.Thread(target=follow_lifeline, args=(child,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def follow_lifeline(child: "subprocess.Popen[bytes]") -> None:
    """Pass signals on until the owner is gone, then kill the child."""
    for line in sys.stdin:
        child.send_signal(int(line))
    child.kill()


if __name__ == "__main__":
    sys.exit(main())
