"""The ledger: every message in one column, repeats and overtaking apart."""

from hypothesis import given
from hypothesis import strategies as st

from wsgateway.lab.ledger import Ledger
from wsgateway.protocol import Status

PAIR = ("alice", "bob")


def ledger(statuses: list[Status | None], arrivals: list[int]) -> Ledger:
    made = Ledger()
    for status in statuses:
        number = made.sent(PAIR)
        if status is not None:
            made.answered(PAIR, number, status)
    for number in arrivals:
        made.arrived(PAIR, number)
    return made


def test_each_fate_has_its_column() -> None:
    fates = [Status.ACCEPTED, Status.ROUTED, Status.OFFLINE, Status.UNKNOWN, None, Status.DELIVERED]
    totals = ledger(fates, [0]).totals()
    assert (totals.sent, totals.promised, totals.arrived) == (6, 3, 1)
    assert (totals.lost, totals.offline, totals.unknown, totals.open) == (2, 1, 1, 1)


def test_an_arrival_counts_whatever_its_sender_was_told() -> None:
    totals = ledger([Status.UNKNOWN, None, Status.OFFLINE], [0, 1, 2]).totals()
    assert (totals.arrived, totals.unknown, totals.offline, totals.open) == (3, 0, 0, 0)


def test_repeats_and_overtaking_are_counted_apart() -> None:
    totals = ledger([Status.ACCEPTED] * 4, [1, 0, 1, 0, 2, 3]).totals()
    assert (totals.duplicates, totals.reordered, totals.lost) == (2, 1, 0)


@given(
    st.lists(st.sampled_from([*Status, None]), max_size=20).flatmap(
        lambda fates: st.tuples(
            st.just(fates), st.lists(st.integers(0, max(len(fates) - 1, 0)), max_size=40)
        )
    )
)
def test_the_columns_always_add_up(run: tuple[list[Status | None], list[int]]) -> None:
    statuses, arrivals = run
    totals = ledger(statuses, arrivals if statuses else []).totals()
    columns = totals.arrived + totals.offline + totals.unknown + totals.lost + totals.open
    assert columns == totals.sent


def test_what_expired_and_why_the_rest_is_lost() -> None:
    ledger = Ledger()
    for number, status in enumerate((Status.ACCEPTED, Status.ROUTED, Status.ROUTED, Status.ROUTED)):
        assert ledger.sent(PAIR) == number
        ledger.answered(PAIR, number, status)
    ledger.expired(PAIR, 0)
    for number in (1, 2):
        ledger.blame(PAIR, number, "the line was cut")
    ledger.arrived(PAIR, 2)
    totals = ledger.totals()
    assert (totals.expired, totals.lost, totals.arrived) == (1, 2, 1)
    assert totals.reasons == {"the line was cut": 1}
    assert totals.sent == totals.arrived + totals.expired + totals.lost
    assert str(totals).endswith("expired 1 (the line was cut 1)")
