"""The brokers of `up`: one background process per user owns them, and a lock says it lives."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from wsgateway.brokers.redis import RedisServer
from wsgateway.errors import BrokerError

_STOP_TIMEOUT_S = 15.0


class State(msgspec.Struct, frozen=True):
    """What a running supervisor writes down: its pid, and its server's URL and name."""

    pid: int
    url: str
    name: str


def runtime_directory() -> Path:
    """Return this user's private directory for the lock and the state, made if need be.

    `WSGATEWAY_RUNTIME_DIR`, else `XDG_RUNTIME_DIR`/wsgateway, else one in the temporary directory.

    Raises:
        BrokerError: it belongs to somebody else.
    """
    given, session = os.environ.get("WSGATEWAY_RUNTIME_DIR"), os.environ.get("XDG_RUNTIME_DIR")
    if given:
        path = Path(given)
    elif session:
        path = Path(session) / "wsgateway"
    else:
        path = Path(tempfile.gettempdir()) / f"wsgateway-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise BrokerError(f"{path} belongs to another user")
    return path


def running() -> State | None:
    """Return the state of the supervisor that runs now, or None."""
    with _lock() as free:
        if free:
            return None
    try:
        return msgspec.json.decode(_state_file().read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None  # it is starting or stopping this very moment


def up(port: int) -> State:
    """Start a supervisor in the background; return when its server answers.

    Args:
        port: for Redis; 0 takes a free one.

    Raises:
        BrokerError: it cannot start; the text says why.
    """
    command = [sys.executable, "-m", "wsgateway.brokers.supervisor", str(port)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        answer = output.readline()
    try:
        return msgspec.json.decode(answer, type=State)
    except msgspec.DecodeError:
        process.wait()
        raise BrokerError(answer.decode().strip() or "the supervisor ended at once") from None


def supervise(port: int) -> int:
    """Own the server until SIGTERM. Prints one line: the state, or why it cannot start."""
    signals = {signal.SIGTERM, signal.SIGINT}
    with _lock() as free:
        if not free:
            print("another `up` is under way", flush=True)
            return 1
        try:
            server = RedisServer(port)
            server.start()
        except BrokerError as error:
            print(error, flush=True)
            return 1
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # after the start: it is inherited
        try:
            state = msgspec.json.encode(State(os.getpid(), server.url, server.name))
            _state_file().write_bytes(state)
            print(state.decode(), flush=True)
            signal.sigwait(signals)
        finally:
            _state_file().unlink(missing_ok=True)
            server.stop()
    return 0


def down(state: State) -> None:
    """Stop the supervisor and its server; return when both are gone.

    Raises:
        BrokerError: it does not end in time.
    """
    # Why: the lock is held, so the process is alive and the pid beside it is its own, never a
    # recycled one.
    # 原因：锁被持有说明进程还活着，旁边记录的 pid 就是它自己，不会是被系统复用的。
    os.kill(state.pid, signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with _lock() as free:
            if free:
                return
        time.sleep(0.02)
    raise BrokerError(f"the supervisor (pid {state.pid}) does not end")


def _state_file() -> Path:
    return runtime_directory() / "brokers.json"


@contextmanager
def _lock() -> Iterator[bool]:
    """Hold the lock if it is free; yield whether it was. The system drops it with its holder."""
    with (runtime_directory() / "brokers.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


if __name__ == "__main__":
    sys.exit(supervise(int(sys.argv[1])))
