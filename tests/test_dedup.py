"""Recent ids: a bounded memory."""

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from wsgateway.dedup import MessageKey, RecentIds

KEYS = [("alice", "bob", str(n)) for n in range(6)]


def test_a_repeat_is_known_until_it_is_too_old() -> None:
    recent = RecentIds(max_ids=10, max_age_s=600)
    assert recent.add(KEYS[0], 0)
    assert not recent.add(KEYS[0], 600)
    assert recent.add(KEYS[0], 600.1)
    assert not recent.add(KEYS[0], 1000)


def test_the_same_id_of_another_sender_or_to_another_recipient_is_new() -> None:
    recent = RecentIds(max_ids=10, max_age_s=600)
    assert recent.add(("alice", "bob", "1"), 0)
    assert recent.add(("carol", "bob", "1"), 0)
    assert recent.add(("alice", "dave", "1"), 0)


def test_the_oldest_goes_first_when_full() -> None:
    recent = RecentIds(max_ids=2, max_age_s=600)
    for key in KEYS[:3]:
        recent.add(key, 0)
    assert len(recent) == 2
    assert not recent.add(KEYS[2], 0)
    assert not recent.add(KEYS[1], 0)
    assert recent.add(KEYS[0], 0)


def test_a_forgotten_id_gets_through_again() -> None:
    recent = RecentIds(max_ids=10, max_age_s=600)
    recent.add(KEYS[0], 0)
    recent.forget(KEYS[0])
    recent.forget(KEYS[0])
    assert recent.add(KEYS[0], 0)


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.floats(0, 40)), max_size=60))
def test_it_agrees_with_a_plain_model(steps: list[tuple[MessageKey, float]]) -> None:
    recent, model, now_s = (
        RecentIds(max_ids=3, max_age_s=100),
        OrderedDict[MessageKey, float](),
        0.0,
    )
    for key, pause_s in steps:
        now_s += pause_s
        known = key in model and now_s - model[key] <= 100
        assert recent.add(key, now_s) is not known
        if not known:
            model[key] = now_s
            model.move_to_end(key)
        while len(model) > 3:
            model.popitem(last=False)
        assert len(recent) == len(model)
