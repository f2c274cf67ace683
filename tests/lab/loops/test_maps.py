"""What finding a connection costs, counted."""

from collections.abc import Sequence

import pytest

from wsgateway.lab.loops import maps
from wsgateway.lab.loops.maps import DESIGNS, QUESTIONS, Counted, Listed, OneMap, costs


def test_a_counted_name_counts_comparisons_and_is_found_by_an_equal_one() -> None:
    before = Counted.compared
    assert {Counted("bob"): 1}[Counted("bob")] == 1
    assert Counted.compared == before + 1


@pytest.mark.parametrize("make", DESIGNS.values(), ids=list(DESIGNS))
def test_every_design_answers_both_questions(make: type) -> None:
    book = make()
    for name in ("alice", "bob", "carol"):
        book.bind(name, f"to-{name}")
    assert book.connection_of("bob") == "to-bob"
    assert book.user_of("to-carol") == "carol"
    assert book.connection_of("dave") is None
    assert book.user_of("to-dave") is None


@pytest.mark.parametrize("make", [Listed, OneMap])
def test_a_scan_compares_all_that_stand_before(make: type) -> None:
    book = make()
    for number in range(50):
        book.bind(Counted(f"user-{number}"), Counted(f"connection-{number}"))
    before = Counted.compared
    found, compared = book.user_of(Counted("connection-20")), Counted.compared - before
    assert found == "user-20"
    assert compared == 21


def test_the_hub_compares_once_and_a_scan_ten_times_as_often_with_ten_times_the_users() -> None:
    found = costs((100, 1_000), seed=5)
    assert set(found) == {(design, question) for design in DESIGNS for question in QUESTIONS}
    for question in QUESTIONS:
        assert [cost.compared for cost in found["hub", question]] == [1, 1]
    few, many = found["list", "user_of"]
    assert 5 < many.compared / few.compared < 20
    assert found["one map", "user_of"][1].compared == many.compared
    assert found["one map", "connection_of"][1].compared == 1
    assert all(cost.us > 0 for line in found.values() for cost in line)


def test_a_seed_replays_who_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(seed: int) -> Sequence[float]:
        return [cost.compared for cost in costs((500,), seed=seed)["list", "user_of"]]

    monkeypatch.setattr(maps, "_ROUNDS", 1)
    assert compared(2) == compared(2)
    assert compared(2) != compared(3)
