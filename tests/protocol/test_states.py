"""The transition tables are complete, and what is not in them raises."""

from __future__ import annotations

import itertools

import pytest

from sliceworks.protocol.errors import ConflictError
from sliceworks.protocol.states import (
    INIT_STATUSES,
    RUNNING_STATUSES,
    SLICE_TRANSITIONS,
    STATUS_TRANSITIONS,
    TERMINAL_STATUSES,
    ErrorReason,
    ExecutionStatus,
    ResultKind,
    SliceState,
    check_status_change,
)


def test_every_status_is_in_exactly_one_group() -> None:
    groups = [INIT_STATUSES, RUNNING_STATUSES, TERMINAL_STATUSES]
    assert sum(map(len, groups)) == len(ExecutionStatus) == 13
    assert frozenset().union(*groups) == set(ExecutionStatus)


def test_every_state_has_its_transitions() -> None:
    assert set(STATUS_TRANSITIONS) == set(ExecutionStatus)
    assert set(SLICE_TRANSITIONS) == set(SliceState)


def test_terminal_is_terminal_and_everything_living_can_end() -> None:
    for status, following in STATUS_TRANSITIONS.items():
        assert (not following) == (status in TERMINAL_STATUSES)
        assert status in TERMINAL_STATUSES or following & TERMINAL_STATUSES


def test_every_living_status_can_be_stopped_and_stopping_only_ends() -> None:
    for status in (INIT_STATUSES | RUNNING_STATUSES) - {ExecutionStatus.STOPPING}:
        assert ExecutionStatus.STOPPING in STATUS_TRANSITIONS[status]
    assert STATUS_TRANSITIONS[ExecutionStatus.STOPPING] <= TERMINAL_STATUSES


def test_every_status_but_the_first_is_reached_from_another() -> None:
    reached = frozenset().union(*STATUS_TRANSITIONS.values())
    assert reached == set(ExecutionStatus)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(ExecutionStatus, repeat=2)))
def test_what_the_table_does_not_have_raises(old: ExecutionStatus, new: ExecutionStatus) -> None:
    if new in STATUS_TRANSITIONS[old] | {old}:
        check_status_change(old, new)
        return
    with pytest.raises(ConflictError, match=f'status of "{old}" to .*"{new}"'):
        check_status_change(old, new)


def test_what_is_said_of_a_refused_change() -> None:
    with pytest.raises(ConflictError, match='Cannot update terminal job status of "stopped" to "running"'):
        check_status_change(ExecutionStatus.STOPPED, ExecutionStatus.RUNNING)
    with pytest.raises(ConflictError, match='running job status of "running" to init status of "pending"'):
        check_status_change(ExecutionStatus.RUNNING, ExecutionStatus.PENDING)


def test_numbers_that_are_stored_never_change() -> None:
    assert [(state.name, state.value) for state in SliceState] == [
        ("PENDING", 0),
        ("START", 1),
        ("COMPLETED", 2),
        ("ERROR", 3),
    ]
    assert [(kind.name, kind.value) for kind in ResultKind] == [
        ("COMPLETED", 0),
        ("ERROR", 1),
        ("FATAL", 2),
        ("LOST", 3),
        ("RETURNED", 4),
        ("TIMED_OUT", 5),
    ]
    assert {"failed", "timeout", "poison", "lost", "invalid", "revoked"} <= set(ErrorReason)
