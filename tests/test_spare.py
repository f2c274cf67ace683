"""The greedy have what is left of a core, up to two thirds of it."""

import pytest

from wsgateway.spare import Spare


class Core:
    """A core whose time passes as told."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0
        self.spare = Spare(lambda: self.wall_s, lambda: self.cpu_s)

    def work(self, time_s: float) -> None:
        self.wall_s += time_s
        self.cpu_s += time_s

    def idle(self, time_s: float) -> None:
        self.wall_s += time_s

    def share(self, *, others_s: float, slice_s: float) -> tuple[float, float]:
        """Return the busy part of the time, and that of the greedy alone."""
        slices = 10_000
        for _ in range(slices):
            self.work(others_s)
            self.idle(self.spare.rest_s())
            self.work(slice_s)
        return self.cpu_s / self.wall_s, slices * slice_s / self.wall_s


def test_an_idle_core_makes_nobody_rest() -> None:
    core = Core()
    for _ in range(100):
        core.idle(0.010)
        assert core.spare.rest_s() == 0
        core.work(0.001)


def test_the_greedy_alone_keep_two_thirds_of_a_core_busy() -> None:
    busy, _ = Core().share(others_s=0, slice_s=0.0003)
    assert busy == pytest.approx(0.65, abs=0.01)


def test_what_others_use_is_not_there_for_the_greedy() -> None:
    _, alone = Core().share(others_s=0, slice_s=0.0003)
    busy, beside = Core().share(others_s=0.0003, slice_s=0.0003)
    assert busy == pytest.approx(0.65, abs=0.01)
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
