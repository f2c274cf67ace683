"""What all private servers share: a port, a scratch directory, a life as a child process."""

import random
import re
import shutil
import signal
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from wsgateway.brokers.child import Child
from wsgateway.errors import BrokerError

_POLL_S = 0.005
_ATTEMPTS = 5
_PORTS = range(20_000, 32_768)
# Why: not the shared generator. Programs that were seeded alike would all look at the same ports.
# 原因：不用公共的随机数生成器。种子相同的程序会盯上同一批端口。
_rng = random.SystemRandom()
_CLAIMS = 64
_claims: deque[int] = deque()
_TAKEN = re.compile(r"(?:127\.0\.0\.1:(\d+).*)?Address (?:already )?in use")


class PortTaken(BrokerError):
    """Something else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} on 127.0.0.1 is taken by another program")
        self.port = port


def free_port() -> int:
    """Return a port on 127.0.0.1 that was free a moment ago.

    No other call returns it, in any process: not while this one lives, nor before 64 further calls.

    Raises:
        BrokerError: none was found.
    """
    # Why: below the ports the system hands to outgoing connections. A client that keeps calling a
    # killed server on such a port is in the end given that very port, and connects to itself.
    # 原因：避开系统分配给外连的端口范围。若用那里的端口，客户端不断重连已死的服务器时，
    # 迟早会分到同一个端口而连上自己，服务器就再也绑定不了。
    for port in _rng.sample(_PORTS, 100):
        # Why: a server binds its port a second after it was chosen, and a killed one's is free
        # until it is back. UDP has ports of its own: the same number, held there, says "taken" to
        # everyone who chooses this way, and the system lets go of it when this process ends.
        # 原因：选好端口约一秒后服务器才真正绑定，被杀的服务器在重启前也会空出端口。
        # UDP 端口是另一套：占住同号的 UDP 端口，同样选端口的进程便知已有人；
        # 进程一结束，系统自会释放。
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            claim.bind(("127.0.0.1", port))
            _claims.append(claim.detach())
            if len(_claims) > _CLAIMS:
                socket.close(_claims.popleft())
            return port
        claim.close()
    raise BrokerError("no free port on 127.0.0.1")


class Server(ABC):
    """One private server on 127.0.0.1; it dies with this process.

    `with ... as server:` or `start` and `stop`.

    Args:
        port: port to listen on; 0 takes a free one, and keeps it.
    """

    program: ClassVar[str]
    """What errors call it."""
    keeps_data: ClassVar[bool] = False
    """Whether `kill` and `restart` leave its files; `stop` never does."""
    start_timeout_s: ClassVar[float] = 20.0
    environment: ClassVar[Mapping[str, str]] = {}
    """What its process is given besides our own environment."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.name = ""
        self._child: Child | None = None
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's own process id."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one is."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start it, unless it runs; return when it answers.

        Raises:
            PortTaken: something else has the port.
            BrokerError: it does not start; the text says why.
        """
        if self.running:
            return
        self._end(forget=not self.keeps_data)
        for _ in range(_ATTEMPTS):
            try:
                self._launch(self.port or free_port())
                return
            except PortTaken as taken:
                # Why: between finding a free port and binding it, another process may take it.
                # 原因：找到空闲端口和真正绑定之间，别的进程可能抢先占用。
                if taken.port == self.port:
                    raise
        raise BrokerError(f"{_ATTEMPTS} free ports in a row were taken by others")

    def stop(self) -> None:
        """End it and remove its files. Safe to call twice."""
        self._end(forget=True)

    def kill(self) -> None:
        """End it as a crash does: SIGKILL. `restart` brings it back.

        Raises:
            BrokerError: it does not run.
        """
        self._running()
        self._end(forget=not self.keeps_data)

    def restart(self) -> None:
        """Bring it back on the same port, with what it keeps; kill it first if it runs.

        Raises:
            BrokerError: it does not start.
        """
        self._end(forget=not self.keeps_data)
        self.start()

    def wait(self) -> None:
        """Return when it has ended, for whatever reason; at once if it does not run."""
        if self._child is not None:
            self._child.wait()

    def pause(self) -> None:
        """Stop it without ending it (SIGSTOP): sockets stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    @abstractmethod
    def _command(self, directory: Path, port: int) -> list[str]:
        """Return program and arguments, after writing what it needs into `directory`."""

    @abstractmethod
    def _answer(self, pid: int, directory: Path, port: int) -> str | None:
        """Return the name and version of the server once it is the one that answers."""

    def _said(self, directory: Path) -> list[str]:
        """Return what it logged, most telling line last."""
        return lines(directory / "stderr.log")

    def _running(self) -> Child:
        if self._child is None or not self._child.running:
            raise BrokerError(f"the {self.program} does not run")
        return self._child

    def _end(self, *, forget: bool) -> None:
        # Why: SIGKILL even for `stop`. Nobody will read what it would save, and when paused it
        # hears no polite request.
        # 原因：`stop` 也用 SIGKILL。它要保存的东西没人会读，被暂停时也收不到礼貌的请求。
        child, self._child = self._child, None
        if child is not None:
            if not forget:
                # Why: its watchdog removes the files when the lifeline is gone, not before.
                # 原因：只有生命线断开后，看门狗才会删除文件，因此先杀进程再断线。
                child.send_signal(signal.SIGKILL)
                child.wait()
            child.close()
        if forget and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _launch(self, port: int) -> None:
        fresh = self._directory is None
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="wsgateway-"))
        directory = self._directory
        log = directory / "stderr.log"
        log.unlink(missing_ok=True)
        try:
            command = self._command(directory, port)
            self._child = Child(command, log=log, env=self.environment, scratch=directory)
            self.name = self._await_answer(self._child, directory, port)
        except BaseException:
            self._end(forget=fresh or not self.keeps_data)
            raise
        self.port = port

    def _await_answer(self, child: Child, directory: Path, port: int) -> str:
        deadline_s = time.monotonic() + self.start_timeout_s
        while time.monotonic() < deadline_s:
            name = self._answer(child.pid, directory, port)
            if name is not None:
                return name
            with suppress(TimeoutError):
                child.wait(_POLL_S)
                raise self._why_it_ended(directory, port)
        raise BrokerError(f"{self.program} on port {port}: no answer in {self.start_timeout_s:g} s")

    def _why_it_ended(self, directory: Path, port: int) -> BrokerError:
        said = self._said(directory)
        for line in said:
            taken = _TAKEN.search(line)
            if taken is not None:
                return PortTaken(int(taken[1] or port))
        last = said[-1] if said else "it said nothing"
        return BrokerError(f"{self.program} on port {port} ended at once: {last}")


def lines(path: Path) -> list[str]:
    """Return the lines of a log; none if it is not there yet."""
    try:
        return path.read_text("utf-8", "replace").strip().splitlines()
    except FileNotFoundError:
        return []
