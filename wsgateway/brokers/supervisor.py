"""The brokers of `up`: one background process per user owns them, and a lock says it lives."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from msgspec.structs import replace

from wsgateway.brokers.apache import ApacheKafka
from wsgateway.brokers.redis import RedisServer
from wsgateway.brokers.server import Server
from wsgateway.brokers.tansu import TansuServer
from wsgateway.errors import BrokerError

KAFKAS: Mapping[str, type[ApacheKafka] | type[TansuServer]] = {
    "tansu": TansuServer,
    "apache": ApacheKafka,
}
_STOP_TIMEOUT_S = 15.0
_POLL_S = 0.02


class Broker(msgspec.Struct, frozen=True):
    """One server: its name, and its address as a flag of the gateway wants it."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} at {self.address}"


class State(msgspec.Struct, frozen=True):
    """What a running supervisor writes down: its pid, and what it owns."""

    pid: int
    redis: Broker
    kafka: Broker | None = None

    @property
    def brokers(self) -> list[Broker]:
        """All that it owns."""
        return [self.redis] if self.kafka is None else [self.redis, self.kafka]


class Wanted(NamedTuple):
    """What to start.

    Args:
        port: for Redis; 0 takes a free one.
        kafka: which one, if any: a key of `KAFKAS`.
        kafka_port: for it; 0 takes a free one.
    """

    port: int
    kafka: str = ""
    kafka_port: int = 0


def runtime_directory() -> Path:
    """Return this user's private directory for locks and state, made if need be.

    `WSGATEWAY_RUNTIME_DIR`, else `XDG_RUNTIME_DIR`/wsgateway, else one in the temporary directory.

    Raises:
        BrokerError: it cannot be made, or somebody else could write to it.
    """
    given, session = os.environ.get("WSGATEWAY_RUNTIME_DIR"), os.environ.get("XDG_RUNTIME_DIR")
    if given:
        path = Path(given)
    elif session and Path(session).is_dir():
        path = Path(session) / "wsgateway"
    else:
        path = Path(tempfile.gettempdir()) / f"wsgateway-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()  # in /tmp, somebody else may have left a link of this name
    except OSError as error:
        raise BrokerError(f"runtime directory {path}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise BrokerError(f"runtime directory {path}: others can write to it")
    return path


@contextmanager
def one_command() -> Iterator[None]:
    """Let one `up`, `status` or `down` of this user run at a time; the others wait."""
    with (runtime_directory() / "commands.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def running() -> State | None:
    """Return the state of the supervisor that runs now, or None."""
    with _open_state() as file:
        if _lock(file):
            file.truncate(0)  # whoever wrote it was killed
            return None
        file.seek(0)
        try:
            return msgspec.json.decode(file.read(), type=State)
        except msgspec.DecodeError:
            return None  # one is starting whose `up` was killed


def up(wanted: Wanted) -> State:
    """Start a supervisor in the background; return when its servers answer.

    Raises:
        BrokerError: it cannot start; the text says why.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "wsgateway.brokers.supervisor", *map(str, wanted)],
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


def supervise(wanted: Wanted) -> int:
    """Own the servers until SIGTERM, or until one of them ends.

    Prints one line: the state, or why it cannot start.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    # Why: the lock outlives the servers by a moment, so a free lock means that all are gone.
    # 原因：锁比各服务器晚一步释放，因此锁空闲就说明它们都已结束。
    with _open_state() as file:
        if not _lock(file):
            print("another supervisor runs", flush=True)
            return 1
        try:
            with ExitStack() as servers:
                state, started = _start(wanted, servers)
                line = msgspec.json.encode(state)
                file.write(line)
                print(line.decode(), flush=True)
                _wait_for_one(started)
        except BrokerError as error:
            print(error, flush=True)
            return 1
        finally:
            file.truncate(0)
    return 0


def _start(wanted: Wanted, servers: ExitStack) -> tuple[State, list[Server]]:
    redis = servers.enter_context(RedisServer(wanted.port))
    started: list[Server] = [redis]
    state = State(os.getpid(), Broker(redis.name, redis.url))
    if wanted.kafka:
        kafka: ApacheKafka | TansuServer = KAFKAS[wanted.kafka](wanted.kafka_port)
        started.append(servers.enter_context(kafka))
        state = replace(state, kafka=Broker(kafka.name, kafka.address))
    return state, started


def _wait_for_one(servers: Iterable[Server]) -> None:
    """Return when the first of `servers` has ended."""
    ended = threading.Event()

    def wait(server: Server) -> None:
        server.wait()
        ended.set()

    for server in servers:
        threading.Thread(target=wait, args=(server,), daemon=True).start()
    ended.wait()


def down(state: State) -> None:
    """Stop the supervisor and its servers; return when all are gone.

    Raises:
        BrokerError: it does not end in time.
    """
    with _open_state() as file:
        # Why: only while the lock is held is the process alive, and the pid in the file its own
        # rather than a recycled one.
        # 原因：锁被持有才说明进程还活着，文件里的 pid 才是它自己，而不是被系统复用的。
        if _lock(file):
            return
        os.kill(state.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        while not _lock(file):
            if time.monotonic() > deadline_s:
                raise BrokerError(f"the supervisor (pid {state.pid}) does not end")
            time.sleep(_POLL_S)


def _open_state() -> IO[bytes]:
    # Never removed: a lock on a removed file and one on its successor would both be held.
    return (runtime_directory() / "brokers.json").open("a+b", 0)


def _lock(file: IO[bytes]) -> bool:
    """Lock `file` until it is closed, if it is free; return whether it was."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(supervise(Wanted(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
