"""What an execution is doing as a whole, and how it ends.

`Going` is the normal life; `Ending` has an outcome to come as soon as no lease is left (or at a time of its
own); `Ended` has it recorded.  Failing is a matter of `Going`: a `once` execution stays failing, a persistent
one recovers after `probation_window` without a new failure and with progress.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from sliceworks.master.execution.model import Now, Rules
from sliceworks.master.store.batch import Head
from sliceworks.protocol.durations import duration_text

LAST_GRACE_MS: Final = 10_000  # after the deadline of an execution: how long slices in hand may take


@dataclass(slots=True)
class Going:
    """Slices are made and worked on."""

    failing: bool = False
    failing_until_ms: int | None = None  # persistent only
    done_at_failure: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """Nothing new is leased; the outcome is recorded when the last lease has ended.

    With `until_ms` (monotonic) it is recorded then at the latest: what is still in hand is pending again.
    """

    status: str
    failure: str
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome is recorded."""

    status: str
    failure: str


Phase: TypeAlias = Going | Ending | Ended


def note_failure(phase: Going, head: Head, *, ex_id: str, rules: Rules, now: Now) -> None:
    """A slice ended in `error`."""
    cause = "slice failure watch dog" if rules.persistent else "slice failure event"
    head.failure = f"execution {ex_id} has encountered a processing error, reason: {cause}"
    phase.failing = True
    phase.done_at_failure = head.completed
    if rules.persistent:
        phase.failing_until_ms = now.monotonic_ms + rules.probation_window_ms


def end_probation(phase: Going, head: Head, now: Now) -> None:
    """Leave `failing` if the window has passed; without progress it starts again."""
    if phase.failing_until_ms is None or now.monotonic_ms < phase.failing_until_ms:
        return
    if head.completed > phase.done_at_failure:
        phase.failing = False
        phase.failing_until_ms = None


def deadline_ms(head: Head, rules: Rules, now: Now) -> int | None:
    """When the whole execution must be over, on the monotonic clock; it started on the wall clock."""
    if not rules.execution_timeout_ms or head.started_ms is None:
        return None
    return now.monotonic_ms + head.started_ms + rules.execution_timeout_ms - now.wall_ms


def too_late(ex_id: str, rules: Rules, now: Now) -> Ending:
    """The end of an execution that took too long."""
    limit = duration_text(rules.execution_timeout_ms)
    failure = f"execution {ex_id} took longer than its execution_timeout of {limit}"
    return Ending("failed", failure, now.monotonic_ms + LAST_GRACE_MS)


def natural_end(head: Head, ex_id: str) -> Ending:
    """The outcome of an execution whose slices are all done."""
    if not head.error:
        return Ending("completed", "")
    return Ending("failed", f"execution: {ex_id} had {head.error} slice failure(s) during processing")
