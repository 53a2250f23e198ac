"""Histograms from columns: the same as counting one by one, whatever the batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.protocol.states import ResultKind
from sliceworks.protocol.timings import RUN_BOUNDS_US, WAIT_BOUNDS_MS, Tally, Timings

columns = st.lists(st.lists(st.integers(-5, 10_000_000_000), max_size=30), max_size=8)


@given(columns)
def test_batches_count_like_single_values(batches: list[list[int]]) -> None:
    tally = Tally(RUN_BOUNDS_US)
    for batch in batches:
        tally.add(batch)
    values = [max(0, value) for batch in batches for value in batch]
    told = tally.told()
    assert told.counts == [sum(value <= bound for value in values) for bound in RUN_BOUNDS_US]
    assert (told.number, told.total) == (len(values), sum(values))


@given(columns)
def test_counts_only_rise(batches: list[list[int]]) -> None:
    tally = Tally(WAIT_BOUNDS_MS)
    before = tally.told()
    for batch in batches:
        tally.add(batch)
        now = tally.told()
        assert all(new >= old for new, old in zip(now.counts, before.counts, strict=True))
        assert now.number >= before.number
        assert now.total >= before.total
        before = now


def test_what_was_handed_back_took_no_time() -> None:
    timings = Timings()
    kinds = bytes([ResultKind.COMPLETED, ResultKind.RETURNED, ResultKind.ERROR, ResultKind.TIMED_OUT])
    timings.ran(kinds, [5, 0, 7, 9])
    assert (timings.told().run_us.number, timings.told().run_us.total) == (3, 21)


def test_a_column_is_not_changed() -> None:
    column = [3, 1, 2]
    timings = Timings()
    timings.waited(column)
    timings.ran(bytes(3), column)
    assert column == [3, 1, 2]


def test_what_was_told_stays_as_it_was() -> None:
    timings = Timings()
    told = timings.told()
    timings.waited([1])
    assert told.wait_ms.number == 0
    assert told.wait_ms.counts == [0] * len(WAIT_BOUNDS_MS)


def test_bounds_rise() -> None:
    for bounds in (RUN_BOUNDS_US, WAIT_BOUNDS_MS):
        assert list(bounds) == sorted(set(bounds))
