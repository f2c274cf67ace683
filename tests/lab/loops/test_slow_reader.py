"""A client that does not read, before a real gateway."""

from collections.abc import Iterator

import pytest

from wsgateway.errors import CloseCode
from wsgateway.lab import servers
from wsgateway.lab.loops import plots
from wsgateway.lab.loops.slow import MIB, feed


@pytest.fixture(autouse=True, scope="module")
def private_redis() -> Iterator[None]:
    yield
    servers.stop()


def test_it_is_closed_at_the_bound() -> None:
    fed = feed(bound=MIB // 2)
    assert fed.code == CloseCode.SLOW_CONSUMER
    assert MIB // 4 < max(fed.outbox) <= MIB // 2
    assert fed.outbox[-1] == 0, "given back"


def test_without_a_bound_the_outbox_holds_all_that_the_kernel_does_not() -> None:
    fed = feed(bound=1_000 * MIB)
    assert fed.code is None
    assert fed.written > max(fed.outbox) >= 8 * MIB
    assert fed.outbox[-1] == max(fed.outbox), "still growing"


def test_one_who_reads_is_written_to_for_as_long_as_one_likes() -> None:
    fed = feed(bound=MIB, reads=True, total=6 * MIB)
    assert fed.written >= 6 * MIB
    assert fed.code is None
    assert max(fed.outbox) < MIB


def test_drawn() -> None:
    fed = feed(bound=MIB // 2, total=MIB)
    assert "发件箱" in plots.outbox(fed, fed, fed).alt
