"""The states of executions and slices, and every transition that is allowed.

A transition that is not in the table raises.  Docs are drawn from these tables (`python -m tools.states`).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from sliceworks.protocol.errors import ConflictError


class ExecutionStatus(StrEnum):
    """The 13 statuses of an execution; the texts are the API's."""

    PENDING = "pending"
    SCHEDULING = "scheduling"
    INITIALIZING = "initializing"
    RECOVERING = "recovering"
    RUNNING = "running"
    FAILING = "failing"
    PAUSED = "paused"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    REJECTED = "rejected"
    FAILED = "failed"
    TERMINATED = "terminated"


S = ExecutionStatus

INIT_STATUSES: Final = frozenset({S.PENDING, S.SCHEDULING, S.INITIALIZING})
RUNNING_STATUSES: Final = frozenset({S.RECOVERING, S.RUNNING, S.FAILING, S.PAUSED, S.STOPPING})
TERMINAL_STATUSES: Final = frozenset({S.COMPLETED, S.STOPPED, S.REJECTED, S.FAILED, S.TERMINATED})

_ENDS: Final = frozenset({S.COMPLETED, S.FAILED, S.TERMINATED})

STATUS_TRANSITIONS: Final[dict[ExecutionStatus, frozenset[ExecutionStatus]]] = {
    S.PENDING: frozenset({S.SCHEDULING, S.STOPPING, S.REJECTED, S.STOPPED, S.FAILED, S.TERMINATED}),
    S.SCHEDULING: frozenset({S.PENDING, S.INITIALIZING, S.STOPPING, S.REJECTED, S.FAILED, S.TERMINATED}),
    S.INITIALIZING: frozenset({S.RECOVERING, S.RUNNING, S.FAILING, S.PAUSED, S.STOPPING}) | _ENDS,
    S.RECOVERING: frozenset({S.RUNNING, S.FAILING, S.PAUSED, S.STOPPING}) | _ENDS,
    S.RUNNING: frozenset({S.RECOVERING, S.FAILING, S.PAUSED, S.STOPPING}) | _ENDS,
    S.FAILING: frozenset({S.RECOVERING, S.RUNNING, S.PAUSED, S.STOPPING}) | _ENDS,
    S.PAUSED: frozenset({S.RECOVERING, S.RUNNING, S.FAILING, S.STOPPING}) | _ENDS,
    S.STOPPING: frozenset({S.STOPPED}) | _ENDS,
    S.COMPLETED: frozenset(),
    S.STOPPED: frozenset(),
    S.REJECTED: frozenset(),
    S.FAILED: frozenset(),
    S.TERMINATED: frozenset(),
}
"""`stopping` may end `completed` or `failed`: the last slice can be done before the stop arrives.  A
controller that dies while stopping leaves the status `stopping`; one that dies while paused passes through
`recovering`.
"""


def check_status_change(old: ExecutionStatus, new: ExecutionStatus) -> None:
    """Raise ConflictError unless `old` may become `new`; staying the same is always allowed."""
    if new is old or new in STATUS_TRANSITIONS[old]:
        return
    if old in TERMINAL_STATUSES:
        message = f'Cannot update terminal job status of "{old}" to "{new}"'
    elif new in INIT_STATUSES:
        message = f'Cannot update running job status of "{old}" to init status of "{new}"'
    else:
        message = f'Cannot update job status of "{old}" to "{new}"'
    raise ConflictError(message)


class SliceState(IntEnum):
    """The stored state of a slice; the lower-case name is what the API shows."""

    PENDING = 0
    START = 1
    COMPLETED = 2
    ERROR = 3


SLICE_TRANSITIONS: Final[dict[SliceState, frozenset[SliceState]]] = {
    SliceState.PENDING: frozenset({SliceState.START}),
    SliceState.START: frozenset({SliceState.PENDING, SliceState.COMPLETED, SliceState.ERROR}),
    SliceState.COMPLETED: frozenset(),
    SliceState.ERROR: frozenset(),
}
"""`start` goes back to `pending` when the lease ends without a final result: a retry, a loss, a hand-back."""


class ResultKind(IntEnum):
    """How a daemon says that a lease ended."""

    COMPLETED = 0
    ERROR = 1  # an operation raised: counts against max_retries
    FATAL = 2  # an operation raised a fatal error: not tried again
    LOST = 3  # the worker died with this slice in hand: counts against max_worker_losses
    RETURNED = 4  # handed back unfinished (waiting behind, drained, recalled): never counts
    TIMED_OUT = 5  # the worker was killed at slice_timeout: counts as an operation error


class ErrorReason(StrEnum):
    """Why a slice is in state `error`."""

    FAILED = "failed"
    TIMEOUT = "timeout"
    POISON = "poison"
    LOST = "lost"
    INVALID = "invalid"
    REVOKED = "revoked"
