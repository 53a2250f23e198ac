"""What clients ask of an execution: start, stop, pause, resume, workers, log level.

A verb writes what is wanted and answers when that is durable; the rest of the cluster converges on it.  So a
verb can race any crash or restart.
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec import structs

from sliceworks.master.cluster import assets
from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.controllers import end
from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import (
    Attached,
    EndCause,
    Ending,
    Execution,
    Missing,
    NotStarted,
    Waiter,
)
from sliceworks.master.cluster.statuses import status_of
from sliceworks.master.store.records import AddJob, ExecutionRow
from sliceworks.protocol.errors import (
    ConflictError,
    InvalidError,
    SliceworksError,
    UnavailableError,
)
from sliceworks.protocol.messages import Wishes
from sliceworks.protocol.states import INIT_STATUSES, ExecutionStatus

S = ExecutionStatus

MAX_WORKERS: Final = 100_000


def start(core: Core, event: ev.StartRequested) -> None:
    """Store a new job, or run one, or both in one commit."""
    if event.job_id in core.living:
        message = f"Job {event.job_id} is currently running, cannot have the same job concurrently running"
        return _reject(core, event.request, ConflictError(message))
    execution = _new_execution(core, event) if event.ex_id else None
    if execution and (refusal := assets.refusal(core, execution)):
        return _reject(core, event.request, refusal)
    if event.job:
        core.change_job(AddJob(event.job))
    if execution:
        core.admit(execution)
    core.after_save(ef.Answer(event.request, ef.Done()), execution)
    return None


def stop(core: Core, event: ev.StopRequested) -> None:
    """End it.  Asking again can only make the end come sooner."""
    execution = core.executions.get(event.ex_id)
    if execution is None:
        return _reject(core, event.request, _not_active(event.ex_id))
    if not execution.is_terminal:
        _wish_stop(core, execution, event.grace_ms)
    if event.wait_ms is not None:
        execution.waiters.append(Waiter(event.request, core.now.monotonic_ms + event.wait_ms))
        return core.touch(execution)
    core.after_save(ef.Answer(event.request, ef.StatusIs(execution.row.status)), execution)
    return None


def pause(core: Core, event: ev.PauseRequested) -> None:
    """Stop dispatching; slices in hand are finished, workers stay."""
    execution = core.executions.get(event.ex_id)
    refusal = _refusal(execution, event.ex_id, "pause")
    if execution is None or refusal:
        return _reject(core, event.request, refusal or _not_active(event.ex_id))
    core.change(execution, wishes=structs.replace(execution.row.wishes, paused=True))
    if execution.row.status is not S.RECOVERING or isinstance(execution.controller, Attached):
        core.set_status(execution, S.PAUSED)
    core.after_save(ef.Answer(event.request, ef.StatusIs(S.PAUSED)), execution)
    return None


def resume(core: Core, event: ev.ResumeRequested) -> None:
    """Dispatch again."""
    execution = core.executions.get(event.ex_id)
    refusal = _refusal(execution, event.ex_id, "resume")
    if execution is None or refusal:
        return _reject(core, event.request, refusal or _not_active(event.ex_id))
    core.change(execution, wishes=structs.replace(execution.row.wishes, paused=False))
    execution.resumed_from = execution.report.phase if execution.report else ""
    core.set_status(execution, status_of(execution))
    core.after_save(ef.Answer(event.request, ef.StatusIs(S.RUNNING)), execution)
    return None


def change_workers(core: Core, event: ev.WorkersRequested) -> None:
    """Set how many workers are wanted; they come as slots are free, and go when their slice is done."""
    execution = core.executions.get(event.ex_id)
    if execution is None or execution.is_terminal:
        return _reject(core, event.request, _not_active(event.ex_id))
    try:
        workers = _workers_after(execution.row.wishes.workers, event.change)
    except InvalidError as error:
        return _reject(core, event.request, error)
    core.change(execution, wishes=structs.replace(execution.row.wishes, workers=workers))
    core.rebalance = True
    core.after_save(ef.Answer(event.request, ef.Done()), execution)
    return None


def change_log_level(core: Core, event: ev.LogLevelRequested) -> None:
    """Log more or less, in its controller, its slicers and its workers."""
    execution = core.executions.get(event.ex_id)
    if execution is None or execution.is_terminal:
        return _reject(core, event.request, _not_active(event.ex_id))
    if not isinstance(execution.controller, Attached):
        return _reject(core, event.request, ConflictError(f"Execution {event.ex_id} is not available"))
    core.change(execution, wishes=structs.replace(execution.row.wishes, log_level=event.level))
    core.after_save(ef.Answer(event.request, ef.Done()), execution)
    return None


def _new_execution(core: Core, event: ev.StartRequested) -> Execution:
    row = ExecutionRow(
        ex_id=event.ex_id,
        job_id=event.job_id,
        name=event.name,
        created_ms=core.now.wall_ms,
        updated_ms=core.now.wall_ms,
        status=S.PENDING,
        wishes=Wishes(
            workers=event.workers, paused=False, stopping=False, grace_ms=0, log_level=event.log_level
        ),
        lineage=event.lineage,
    )
    return Execution(row, event.document)


def _wish_stop(core: Core, execution: Execution, grace_ms: int) -> None:
    if isinstance(execution.controller, NotStarted):
        return core.set_status(execution, S.STOPPED)
    stop_at_ms = core.now.monotonic_ms + grace_ms
    if execution.stop_at_ms is None or stop_at_ms < execution.stop_at_ms:
        execution.stop_at_ms = stop_at_ms
        wishes = structs.replace(execution.row.wishes, stopping=True, grace_ms=grace_ms)
        core.change(execution, wishes=wishes)
    core.set_status(execution, S.STOPPING)
    if grace_ms == 0 and not execution.forced and isinstance(execution.controller, Missing):
        execution.forced = True
        how = "it was not connected when its execution was stopped by force"
        end(core, execution, Ending(execution.controller.identity, EndCause.FAULT, how))
    core.touch(execution)
    return None


def _refusal(execution: Execution | None, ex_id: str, verb: str) -> SliceworksError | None:
    """Why an execution cannot be paused or resumed now."""
    if execution is None or execution.is_terminal:
        return _not_active(ex_id)
    row = execution.row
    is_ending = row.wishes.stopping or row.fate.outcome or row.fate.verdict
    is_early = row.status in INIT_STATUSES and not isinstance(execution.controller, Attached)
    if is_ending or is_early:
        return ConflictError(f"Execution {ex_id} is not available to {verb}")
    return None


def _workers_after(wanted: int, change: ev.WorkersChange) -> int:
    match change:
        case ev.AddWorkers(count):
            workers = wanted + count
        case ev.SetWorkers(count):
            workers = count
        case ev.RemoveWorkers(count) if count >= wanted:
            message = f"workers to be removed: {count} cannot be >= to current workers: {wanted}"
            raise InvalidError(message)
        case ev.RemoveWorkers(count):
            workers = wanted - count
        case _:
            assert_never(change)
    if workers > MAX_WORKERS:
        message = f"workers wanted: {workers} cannot be > {MAX_WORKERS}"
        raise InvalidError(message)
    return workers


def _not_active(ex_id: str) -> ConflictError:
    """It is over: whether there is such an execution was looked up before."""
    return ConflictError(f"no active execution context was found for ex_id: {ex_id}")


def _reject(core: Core, request: int, error: SliceworksError) -> None:
    core.emit(ef.Reject(request, error))


def closing_error() -> UnavailableError:
    """What a client is told while the daemon shuts down."""
    return UnavailableError("the cluster master is shutting down: ask again when it is back")
