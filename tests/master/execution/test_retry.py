"""Tries are counted in one place, each kind apart."""

from __future__ import annotations

import pytest

from sliceworks.master.execution.model import Rules, Slice
from sliceworks.master.execution.retry import AT_ONCE, End, Requeue, Vanished, judge
from sliceworks.protocol.states import ErrorReason, ResultKind


def rules(*, max_retries: int = 3, at_most_once: bool = False) -> Rules:
    return Rules(
        persistent=False,
        max_retries=max_retries,
        max_worker_losses=3,
        at_most_once=at_most_once,
        probation_window_ms=1,
        lease_timeout_ms=1,
        slicer_timeout_ms=0,
        worker_disconnect_timeout_ms=0,
    )


def new_slice() -> Slice:
    return Slice(1, 0, 1, b"{}", epoch=1)


def test_an_operation_error_is_tried_again_max_retries_times() -> None:
    item = new_slice()
    verdicts = [judge(item, ResultKind.ERROR, rules(max_retries=2)) for _ in range(3)]
    assert isinstance(verdicts[0], Requeue)
    assert isinstance(verdicts[1], Requeue)
    assert verdicts[2] == End(ErrorReason.FAILED)


def test_delays_double_and_stay_within_their_span() -> None:
    item = new_slice()
    for span in (100, 200, 400, 800):
        verdict = judge(item, ResultKind.ERROR, rules(max_retries=10))
        assert isinstance(verdict, Requeue)
        assert span // 2 <= verdict.delay_ms <= span


def test_zero_retries_means_one_try() -> None:
    assert judge(new_slice(), ResultKind.ERROR, rules(max_retries=0)) == End(ErrorReason.FAILED)


def test_a_fatal_error_is_not_tried_again() -> None:
    assert judge(new_slice(), ResultKind.FATAL, rules()) == End(ErrorReason.FAILED)


def test_a_timeout_counts_as_an_operation_error() -> None:
    item = new_slice()
    assert isinstance(judge(item, ResultKind.TIMED_OUT, rules(max_retries=1)), Requeue)
    assert judge(item, ResultKind.TIMED_OUT, rules(max_retries=1)) == End(ErrorReason.TIMEOUT)


def test_losses_are_counted_apart_from_errors() -> None:
    item = new_slice()
    assert judge(item, ResultKind.LOST, rules()) == AT_ONCE
    judge(item, ResultKind.ERROR, rules())
    assert judge(item, ResultKind.LOST, rules()) == AT_ONCE
    assert judge(item, ResultKind.LOST, rules()) == End(ErrorReason.POISON)
    assert (item.op_errors, item.losses) == (1, 3)


@pytest.mark.parametrize("how", [ResultKind.RETURNED, *Vanished])
def test_infrastructure_never_counts(how: ResultKind | Vanished) -> None:
    item = new_slice()
    for _ in range(50):
        assert judge(item, how, rules()) == AT_ONCE
    assert (item.op_errors, item.losses) == (0, 0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (ResultKind.LOST, ErrorReason.LOST),
        (Vanished.NODE, ErrorReason.LOST),
        (Vanished.BEGUN, ErrorReason.LOST),
        (ResultKind.ERROR, ErrorReason.FAILED),
        (ResultKind.TIMED_OUT, ErrorReason.TIMEOUT),
    ],
)
def test_at_most_once_ends_whatever_may_have_begun(how: ResultKind | Vanished, reason: ErrorReason) -> None:
    assert judge(new_slice(), how, rules(at_most_once=True)) == End(reason)


def test_at_most_once_still_leases_what_was_never_begun() -> None:
    assert judge(new_slice(), ResultKind.RETURNED, rules(at_most_once=True)) == AT_ONCE
