"""A child never outlives its owner, however the owner ends."""

import gc
import os
import signal
import sys
from pathlib import Path

import pytest
from lifetimes import eventually, is_gone, owner, read_line

from wsgateway.brokers import Child
from wsgateway.errors import BrokerError

# A child that says something, leaves something behind, and ignores every polite request.
STUBBORN = (
    "import signal, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path('left-behind').touch(); print('here', flush=True); signal.pause()"
)

OWNER = f"""
import os, signal, sys
from pathlib import Path
from wsgateway.brokers import Child
child = Child([sys.executable, "-c", {STUBBORN!r}], log=Path(os.devnull))
child.output.readline()
print(child.pid, flush=True)
"""


def stubborn(scratch: Path | None = None) -> Child:
    child = Child([sys.executable, "-c", STUBBORN], log=Path(os.devnull), scratch=scratch)
    assert child.output.readline() == b"here\n"
    return child


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_dies_with_its_owner(how: signal.Signals) -> None:
    with owner(OWNER + "signal.pause()") as process:
        pid = int(read_line(process))
        assert not is_gone(pid)
        process.send_signal(how)
        assert eventually(lambda: is_gone(pid))


def test_it_dies_when_its_owner_just_ends() -> None:
    with owner(OWNER) as process:
        pid = int(read_line(process))
        assert eventually(lambda: is_gone(pid))


def test_it_dies_even_while_paused() -> None:
    with owner(OWNER + "child.send_signal(signal.SIGSTOP); print(flush=True); signal.pause()") as p:
        pid = int(read_line(p))
        read_line(p)
        p.send_signal(signal.SIGKILL)
        assert eventually(lambda: is_gone(pid))


def test_a_fork_that_outlives_the_owner_does_not_keep_it_alive() -> None:
    source = OWNER + "fork = os.fork()\nif fork: print(fork, flush=True)\nsignal.pause()"
    with owner(source) as process:
        pid, fork = int(read_line(process)), int(read_line(process))
        try:
            process.send_signal(signal.SIGKILL)
            assert eventually(lambda: is_gone(pid))
            assert not is_gone(fork)
        finally:
            os.kill(fork, signal.SIGKILL)


def test_it_dies_with_its_watchdog_when_that_is_asked_to_end() -> None:
    with stubborn() as child:
        os.kill(child._watchdog.pid, signal.SIGTERM)
        assert child.wait(30) == 128 + signal.SIGKILL
        assert is_gone(child.pid)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_forgotten_one_dies() -> None:
    child = stubborn()
    pid = child.pid
    del child
    gc.collect()
    assert eventually(lambda: is_gone(pid))


def test_close_takes_the_scratch_directory_along(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "file").touch()
    child = stubborn(scratch=scratch)
    child.close()
    child.close()
    assert is_gone(child.pid)
    assert not scratch.exists()


def test_its_exit_status_is_passed_on() -> None:
    with Child([sys.executable, "-c", "raise SystemExit(7)"], log=Path(os.devnull)) as child:
        assert child.wait(30) == 7
        assert not child.running
        child.send_signal(signal.SIGKILL)  # nobody is there to get it


def test_what_it_says_at_once_is_its_own(tmp_path: Path) -> None:
    for _ in range(60):  # /bin/echo is quicker than any watchdog
        with Child(["/bin/echo", "12 said"], log=tmp_path / "log") as child:
            assert child.output.read() == b"12 said\n"
            assert child.pid > 0


def test_its_errors_are_logged_and_its_environment_added_to(tmp_path: Path) -> None:
    source = "import os, sys; sys.exit(os.environ['WORD'])"
    log = tmp_path / "log"
    with Child([sys.executable, "-c", source], log=log, env={"WORD": "aloud"}) as child:
        assert child.wait(30) == 1
    assert log.read_text() == "aloud\n"


def test_waiting_has_a_bound() -> None:
    with stubborn() as child, pytest.raises(TimeoutError, match="still runs"):
        child.wait(0.01)


def test_it_is_in_a_session_of_its_own() -> None:
    with stubborn() as child:
        assert os.getsid(child.pid) != os.getsid(0)


def test_what_cannot_run_is_said() -> None:
    with pytest.raises(BrokerError, match="cannot run /no/such/program: No such file"):
        Child(["/no/such/program"], log=Path(os.devnull))
