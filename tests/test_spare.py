"""The greedy have what is left of a core, up to half of it."""

import subprocess
import sys
import time

import pytest

from wsgateway import spare
from wsgateway.spare import Spare, taken_s

# Two who are never done, on one core: each waits about as long as it runs.
RIVALS = """
import os, signal, time
from wsgateway.spare import taken_s
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
rival = os.fork()
while not rival:
    pass
try:
    took_s, ran_s = taken_s(), time.thread_time()
    while time.thread_time() < ran_s + 0.5:
        pass
    print((taken_s() - took_s) / (time.thread_time() - ran_s))
finally:
    os.kill(rival, signal.SIGKILL)
    os.waitpid(rival, 0)
"""


class Core:
    """A core whose time passes as told."""

    def __init__(self) -> None:
        self.wall_s = self.taken_s = 0.0
        self.spare = Spare(lambda: self.wall_s, lambda: self.taken_s)

    def work(self, time_s: float) -> None:
        self.wall_s += time_s
        self.taken_s += time_s

    def idle(self, time_s: float) -> None:
        self.wall_s += time_s

    def share(self, *, others_s: float, slice_s: float) -> tuple[float, float]:
        """Return the busy part of the time, and that of the greedy alone."""
        slices = 10_000
        for _ in range(slices):
            self.work(others_s)
            self.idle(self.spare.rest_s())
            self.work(slice_s)
        return self.taken_s / self.wall_s, slices * slice_s / self.wall_s


def test_an_idle_core_makes_nobody_rest() -> None:
    core = Core()
    for _ in range(100):
        core.idle(0.010)
        assert core.spare.rest_s() == 0
        core.work(0.001)


def test_the_greedy_alone_keep_half_a_core_busy() -> None:
    busy, _ = Core().share(others_s=0, slice_s=0.0003)
    assert busy == pytest.approx(0.5, abs=0.01)


def test_what_others_use_is_not_there_for_the_greedy() -> None:
    _, alone = Core().share(others_s=0, slice_s=0.0003)
    busy, beside = Core().share(others_s=0.0003, slice_s=0.0003)
    assert busy == pytest.approx(0.5, abs=0.01)
    assert beside == pytest.approx(alone / 2, abs=0.01)


def test_no_rest_is_long_however_busy_the_core_was() -> None:
    core = Core()
    for _ in range(100):
        core.work(1.0)
        assert core.spare.rest_s() == pytest.approx(0.010)


def test_long_idleness_is_not_saved_up() -> None:
    core = Core()
    core.idle(3600)
    assert core.spare.rest_s() == 0
    core.work(0.1)
    assert 0 < core.spare.rest_s() <= 0.010


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts how long a thread waits")
def test_waiting_for_a_core_counts_as_much_as_having_it() -> None:
    tried = [sys.executable, "-c", RIVALS]
    told = subprocess.run(tried, capture_output=True, text=True, check=True, timeout=100)
    assert float(told.stdout) > 1.5


def test_without_statistics_it_is_the_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "_SCHEDSTAT", "/nowhere")
    ran_s = time.thread_time()
    assert ran_s <= taken_s() <= time.thread_time()
