"""Workers that do not start are tried again, later and later, and then no more."""

from __future__ import annotations

from sliceworks.worker.starts import Starts


def test_three_failures_in_a_row_end_the_tries() -> None:
    starts = Starts()
    for now, delay in ((0, 200), (1_000, 400), (2_000, 800)):
        starts.failed("no module", started_ms=now, now=now + 10)
        assert starts.not_before_ms == now + 10 + delay
    assert starts.given_up
    assert starts.allowed(0, 1_000_000) == 0
    assert (starts.failures, starts.error) == (3, "no module")


def test_workers_that_were_started_together_count_once() -> None:
    starts = Starts()
    for now in (5, 6, 7, 8):
        starts.failed("boom", started_ms=0, now=now)
    assert starts.failures == 1


def test_after_a_failure_one_worker_at_a_time_is_tried() -> None:
    starts = Starts()
    assert starts.allowed(0, 0) is None
    starts.failed("boom", started_ms=0, now=0)
    assert starts.allowed(0, 199) == 0
    assert starts.allowed(0, 200) == 1
    assert starts.allowed(1, 200) == 0


def test_a_worker_that_starts_ends_the_row() -> None:
    starts = Starts()
    starts.failed("boom", started_ms=0, now=0)
    starts.succeeded()
    assert (starts.failures, starts.error) == (0, "")


def test_short_lives_back_off() -> None:
    starts = Starts()
    delays = []
    for now in range(0, 100_000, 10_000):
        starts.crashed(ready_ms=now, finished=0, now=now + 5)
        delays.append(max(0, starts.not_before_ms - now - 5))
    assert delays == [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]


def test_lives_that_were_of_use_do_not_back_off() -> None:
    starts = Starts()
    for now in range(0, 100_000, 10_000):
        starts.crashed(ready_ms=now, finished=1, now=now + 5)
        starts.crashed(ready_ms=now, finished=0, now=now + 5_000)
    assert starts.not_before_ms == 0


def test_short_lives_at_the_same_time_count_once() -> None:
    starts = Starts()
    for worker in range(8):
        starts.crashed(ready_ms=0, finished=0, now=10 + worker)
    assert starts.not_before_ms == 0


def test_a_new_generation_starts_afresh() -> None:
    starts = Starts()
    for now in (0, 1_000, 2_000):
        starts.failed("boom", started_ms=now, now=now)
    starts.reset()
    assert starts.allowed(0, 2_000) is None
    starts.failed("boom", started_ms=2_001, now=2_002)
    assert starts.failures == 1


def test_a_wait_before_the_start_is_told_but_no_failure() -> None:
    starts = Starts()
    starts.delayed("the master is away")
    assert (starts.failures, starts.error, starts.allowed(0, 0)) == (0, "the master is away", None)
    starts.delayed("")
    assert starts.error == ""


def test_a_failure_is_told_before_a_wait() -> None:
    starts = Starts()
    starts.failed("boom", started_ms=0, now=0)
    starts.delayed("the master is away")
    starts.delayed("")
    assert starts.error == "boom"
