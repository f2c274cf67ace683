"""Progress: what may be committed, whatever the order in which letters settle."""

from hypothesis import given
from hypothesis import strategies as st

from wsgateway.kafka.offsets import Progress

# Where reading begins, and the gaps before each offset: a log may skip numbers.
STARTS = st.integers(0, 1 << 40)
GAPS = st.lists(st.integers(0, 3), max_size=40)


@given(STARTS, GAPS, st.data())
def test_a_commit_never_passes_what_is_open_and_never_goes_back(
    start: int, gaps: list[int], data: st.DataObject
) -> None:
    progress = Progress(start)
    unread, still_open, last = list(gaps), set[int](), start
    while unread or still_open:
        if unread and (not still_open or data.draw(st.booleans())):
            offset = progress.position + unread.pop()
            progress.read(offset)
            still_open.add(offset)
            assert progress.position == offset + 1
        else:
            offset = data.draw(st.sampled_from(sorted(still_open)))
            progress.settle(offset)
            still_open.remove(offset)
        assert len(progress) == len(still_open)
        assert progress.committable == min(still_open, default=progress.position)
        assert progress.committable >= last
        last = progress.committable
    assert progress.committable == progress.position


@given(STARTS)
def test_at_the_start_there_is_nothing_new_to_commit(start: int) -> None:
    progress = Progress(start)
    assert progress.committable == progress.committed == progress.position == start
    assert len(progress) == 0


def test_settling_backwards_costs_no_more_than_settling_forwards() -> None:
    """All 60,000 that may be open, the oldest last: one commit, no second pass over them."""
    progress = Progress(0)
    for offset in range(60_000):
        progress.read(offset)
    for offset in range(59_999, 0, -1):
        progress.settle(offset)
        assert progress.committable == 0
    progress.settle(0)
    assert progress.committable == 60_000
    assert len(progress) == 0
