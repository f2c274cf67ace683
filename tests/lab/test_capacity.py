"""The cost model: a fit finds the prices that made the numbers, and none below zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.lab.capacity import Crowd, Price, Run, Spent, costs, fit

SHAPES = ((1, 1000, 1000), (1, 250, 250), (1, 70, 70), (7, 300, 780), (7, 70, 300), (2, 60, 100))
prices = st.builds(Price, *(st.floats(0.5, 200.0) for _ in range(3)))


def run(gateways: int, batches: int, publishes: int, price: Price, heard: Price) -> Run:
    """A run of 1,000 messages that cost exactly these prices."""
    loads = {"batches": batches / 1000, "publishes": publishes / 1000}
    spent = Spent(1000 * price.of(**loads), 1000 * heard.of(**loads), 500 * price.of(**loads))
    return Run(1000, batches, publishes, gateways, spent)


@given(prices, prices)
def test_the_fit_finds_the_prices_again(sender: Price, receiver: Price) -> None:
    heard = Price(receiver.message_us, 0.0, receiver.publish_us)
    runs = [run(*shape, sender, heard) for shape in SHAPES]
    for found, true in (
        (fit(runs, "sender_us"), sender),
        (fit(runs, "receivers_us", batches=False), heard),
    ):
        assert found.message_us == pytest.approx(true.message_us, rel=1e-6)
        assert found.batch_us == pytest.approx(true.batch_us, rel=1e-6)
        assert found.publish_us == pytest.approx(true.publish_us, rel=1e-6)


def test_what_would_be_below_zero_is_left_out() -> None:
    runs = [run(*shape, Price(10.0, 50.0, -2.0), Price(1, 0, 1)) for shape in SHAPES]
    found = fit(runs, "sender_us")
    assert found.publish_us == 0.0
    assert found.message_us > 0.0
    assert found.batch_us == pytest.approx(50.0, rel=0.2)


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="3 unknowns"):
        fit([run(*SHAPES[0], Price(1, 1, 1), Price(1, 0, 1))] * 2, "sender_us")


def test_the_model_of_a_message_adds_both_gateways() -> None:
    runs = [run(*shape, Price(20, 100, 3), Price(10, 0, 90)) for shape in SHAPES]
    made = costs(runs, Crowd(100, Spent(3e4, 0.0, 4e3), 700.0, 10, Spent(150.0, 0.0, 30.0)))
    assert made.message_us() == pytest.approx(123 + 100)
    assert made.message_us(batches=0.1, publishes=0.5) == pytest.approx(31.5 + 55)
    assert (made.ping_us, made.broker_ping_us) == (15.0, 3.0)
    assert (made.connect_us, made.broker_connect_us, made.connection_kib) == (300.0, 40.0, 7.0)


def test_a_run_knows_how_thin_it_was() -> None:
    one = Run(100, 10, 40, 5, Spent(0.0, 0.0, 0.0))
    assert (one.batch, one.thinness) == (10.0, 0.4)
