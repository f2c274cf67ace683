"""The stop button ends what runs outside the cell too, and nothing lives on."""

import _thread
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from wsgateway.lab import servers
from wsgateway.lab.loops import feed, observe, waits

_AFTER_S = 0.3


@pytest.fixture(autouse=True)
def private_redis() -> Iterator[None]:
    yield
    servers.stop()


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(lambda: feed(reads=True, total=1 << 40), id="feed"),
        pytest.param(waits, id="waits"),
        pytest.param(lambda: observe(seed=1, lasts_s=60.0), id="observe"),
    ],
)
def test_it_ends_at_once(experiment: Callable[[], object]) -> None:
    button = threading.Timer(_AFTER_S, _thread.interrupt_main)
    before = set(psutil.Process().children(recursive=True))
    button.start()
    with pytest.raises(KeyboardInterrupt):
        experiment()
    button.join()
    deadline = time.monotonic() + 20.0
    while any("ways.py" in word for word in _words(before)):
        assert time.monotonic() < deadline, "a process lives on"
        time.sleep(0.05)
    assert "wsgateway-lineup" not in [thread.name for thread in threading.enumerate()]


def _words(before: set[psutil.Process]) -> list[str]:
    """Return the command lines of processes started since."""
    found: list[str] = []
    for process in set(psutil.Process().children(recursive=True)) - before:
        try:
            found += process.cmdline()
        except psutil.NoSuchProcess:
            continue
    return found
