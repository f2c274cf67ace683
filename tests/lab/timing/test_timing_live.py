"""Real clients, really stopped; and what the exercises say."""

import pytest

from wsgateway.lab import TODO, Cluster, close
from wsgateway.lab.timing import OURS, Link, checks, deaths, detections_s, frontier, plots

SCALE = 1 / 30


def test_sleeping_clients_are_found_and_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        with Cluster("g1", processes=True, time_scale=SCALE, name="deaths") as cluster:
            found = deaths(cluster, "g1", scale=SCALE, users=5, seed=3)
            assert cluster.stats("g1")["users"] == 0
    finally:
        close()
    assert "5 clients stopped, seed 3." in capsys.readouterr().out
    assert len(found.closed_s) == len(found.gone_s) == 5
    assert found.closed_s[0] > found.bounds_s[0]
    assert found.closed_s == sorted(found.closed_s)
    assert plots.real(found).png


def test_pictures() -> None:
    link = Link()
    assert plots.detection({OURS: detections_s(OURS, link)}).png
    assert plots.frontier(frontier(link), link).png
    assert plots.death(OURS).png


def test_unattempted_and_odd_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert not checks.timings(TODO)
    assert not checks.worst_case(lambda *_: TODO)
    assert capsys.readouterr().out.count("not attempted yet") == 2
    for odd in ((1, 2), (0, 1, 2), 7):
        assert not checks.timings(odd)
        assert "three positive numbers" in capsys.readouterr().out
    assert not checks.timings((1, 30, 3))
    assert "costs more than it tells" in capsys.readouterr().out
