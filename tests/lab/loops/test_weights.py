"""What idle connections weigh in a real gateway process."""

import psutil
import pytest

from wsgateway.lab.cluster import Cluster
from wsgateway.lab.loops import plots
from wsgateway.lab.loops.memory import Weight, each_kib, fill


def test_the_price_of_one_leaves_out_what_the_process_weighs_without() -> None:
    weights = [Weight(10, 40_050.0), Weight(60, 40_300.0), Weight(110, 40_550.0)]
    assert each_kib(weights) == 5.0
    assert "内存" in plots.memory(weights).alt


def test_a_real_gateway_grows_with_its_connections() -> None:
    with Cluster("p1", processes=True, name="weights") as cluster:
        weights = fill(cluster, "p1", (10, 200, 400))
        assert [one.users for one in weights] == [10, 200, 400]
        assert 1 < each_kib(weights) < 100


def test_a_refused_user_is_an_error() -> None:
    with Cluster("p1", processes=True, name="weights") as cluster:
        cluster.processes["p1"].kill()
        # Refused, or already found to be gone when its memory is asked for.
        with pytest.raises((OSError, psutil.NoSuchProcess, ExceptionGroup)):
            fill(cluster, "p1", (1,))
