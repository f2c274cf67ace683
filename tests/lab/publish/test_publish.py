"""Lesson 4's experiments: fan-out counted, a silent line found out, batches measured."""

from collections.abc import Iterator

import pytest

from wsgateway.lab import TODO, close, publish
from wsgateway.lab.publish import checks, plots


@pytest.fixture(scope="module", autouse=True)
def lab() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("nodes", [1, 3])
def test_what_each_node_reads(nodes: int) -> None:
    own = publish.fan_out(nodes, messages=30, shared=False)
    shared = publish.fan_out(nodes, messages=30, shared=True)
    assert own == [30 // nodes] * nodes
    assert shared == [30] * nodes
    assert plots.nodes({nodes: own}, {nodes: shared}).png


def test_a_silent_line_loses_what_was_routed_and_the_canary_ends_it() -> None:
    found = publish.gap(0.1)
    assert found.totals is not None
    assert found.totals.lost == len(found.lost) == found.totals.reasons["the line was silent"]
    assert found.lost[0] > 0, "all was well before the cut"
    assert found.lost[-1] < len(found.sent_s) - 1, "and it is well again"
    assert found.totals.arrived >= 50
    assert found.totals.duplicates == found.totals.reordered == 0
    assert found.length_s > 0
    assert plots.gaps([found]).png


def test_batches_get_more_through() -> None:
    (alone,) = publish.under_load(publish.WITHOUT, [500])
    (together,) = publish.under_load(publish.WITH, [500])
    for one in (alone, together):
        assert one.delivered > 0
        assert one.lost == one.doubled == 0
    assert plots.load([alone], [together]).png


def test_odd_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert not checks.canary(lambda *_: TODO)
    assert not checks.ledgers(lambda _: TODO)
    assert capsys.readouterr().out.count("not attempted yet") == 2
    assert not checks.ledgers(lambda _: (10,))
    assert not checks.ledgers(lambda _: (5, 5, 5))
    assert capsys.readouterr().out.count("add up to 10") == 2
