"""Hand-overs follow the time of a slice; the window follows both."""

from __future__ import annotations

import pytest

from sliceworks.worker.pace import GIVE_SLICES, WINDOW_SLICES, Pace


def measured(slice_us: int, *, prefetch: bool = True) -> Pace:
    pace = Pace(prefetch=prefetch)
    pace.ran(1_000, 1_000 * slice_us)
    return pace


def test_an_unmeasured_execution_gets_one_slice_at_a_time_and_two_per_worker() -> None:
    pace = Pace(prefetch=True)
    assert (pace.batch, pace.refill_at, pace.window(3)) == (1, 0, 6)


@pytest.mark.parametrize(
    ("slice_us", "batch", "refill_at"),
    [
        (1, 256, 256),
        (40, 100, 100),
        (900, 4, 4),
        (1_500, 2, 1),
        (3_999, 1, 1),
        (4_000, 1, 1),
        (19_999, 1, 1),
        (20_000, 1, 0),
        (9_000_000, 1, 0),
    ],
)
def test_a_worker_gets_a_few_milliseconds_of_work(slice_us: int, batch: int, refill_at: int) -> None:
    pace = measured(slice_us)
    assert (pace.batch, pace.refill_at) == (batch, refill_at)


@pytest.mark.parametrize(
    ("slice_us", "window"), [(1_000, 2 * 5 + 80), (10_000, 4 + 8), (20_000, 2 + 4), (40_000, 4), (50_000, 3)]
)
def test_the_window_is_what_workers_hold_and_some_tens_of_milliseconds(slice_us: int, window: int) -> None:
    assert measured(slice_us).window(2) == window


def test_long_slices_leave_one_waiting_in_all() -> None:
    assert measured(60_000_000).window(8) == 9


def test_the_window_is_never_less_than_the_workers_nor_more_than_a_few_thousand() -> None:
    assert measured(1).window(50) == WINDOW_SLICES
    assert measured(1).window(WINDOW_SLICES + 5) == WINDOW_SLICES + 5
    assert measured(1).window(0) == 0


def test_large_requests_make_the_window_small() -> None:
    pace = measured(10)
    pace.arrived([bytes(1_000_000)] * 400)
    assert 60 <= pace.window(2) <= 80


def test_without_prefetch_each_worker_has_one_slice() -> None:
    pace = measured(1, prefetch=False)
    assert (pace.batch, pace.refill_at, pace.window(7)) == (1, 0, 7)


def test_one_slow_slice_ends_large_hand_overs_at_once() -> None:
    pace = measured(10)
    assert pace.batch == GIVE_SLICES
    pace.ran(1, 10_000_000)
    assert pace.batch == 1
    pace.ran(0, 0)
    assert pace.batch == 1
