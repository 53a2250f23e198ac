"""The next step of an execution: what is due by time, by what is durable, by what has ended.

Every step is idempotent: looking at an execution once more than needed changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from sliceworks.master.cluster import assets
from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster.controllers import end, raise_generation
from sliceworks.master.cluster.core import EXECUTION, Core
from sliceworks.master.cluster.model import (
    Attached,
    EndCause,
    Ending,
    Execution,
    Gone,
    Leaving,
    Missing,
    NotStarted,
    Raising,
    Resting,
    Spawning,
    Waiter,
)
from sliceworks.master.cluster.placement import expire_silent, grace_is_over, start_verdict
from sliceworks.master.cluster.statuses import reason_of
from sliceworks.master.cluster.totals import count_totals
from sliceworks.protocol.messages import OutcomeApplied, Wishes
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus

S = ExecutionStatus


def settle(core: Core, execution: Execution) -> None:
    """Take every step that is due, and set when to look again."""
    start_verdict(core, execution)
    _step_controller(core, execution)
    _count(core, execution)
    silent_due_ms = expire_silent(core, execution)
    _finish_stop(core, execution)
    core.change(execution, reason=reason_of(core, execution))
    _answer_waiters(core, execution)
    if grace_is_over(core, execution):
        core.touch_nodes(execution.row.placement)
    if _is_over(execution):
        core.dismiss(execution)
        return assets.forget_unused(core, execution.assets)
    dues = [due for due in (silent_due_ms, *_dues(core, execution)) if due is not None]
    core.timers.set((EXECUTION, execution.row.ex_id), min(dues, default=None))
    return None


def _step_controller(core: Core, execution: Execution) -> None:
    now_ms = core.now.monotonic_ms
    match execution.controller:
        case NotStarted() if execution.row.status is S.PENDING and any(execution.row.placement.values()):
            if not core.closing:
                _begin(core, execution)
        case Raising():
            _spawn(core, execution)
        case Missing(identity, deadline_ms) if now_ms >= deadline_ms:
            is_over = execution.row.fate.outcome or execution.is_terminal
            cause = EndCause.FINISHED if is_over else EndCause.FAULT
            end(core, execution, Ending(identity, cause, "it said nothing for too long and was killed"))
        case Attached():
            _talk(core, execution, execution.controller)
        case Leaving(identity, deadline_ms) if now_ms >= deadline_ms:
            end(
                core,
                execution,
                Ending(identity, EndCause.FINISHED, "its outcome is applied, and it did not end"),
            )
        case Resting(until_ms) if now_ms >= until_ms and not core.closing:
            raise_generation(core, execution)


def _begin(core: Core, execution: Execution) -> None:
    """Its turn has come; whether it can still be run is known only now."""
    if gone := assets.missing(core, execution):
        return assets.reject(core, execution, gone)
    core.set_status(execution, S.SCHEDULING)
    return raise_generation(core, execution)


def _spawn(core: Core, execution: Execution) -> None:
    """Order the process, once its generation is durable."""
    row = execution.durable
    if core.closing or row is None or row.generation != execution.row.generation:
        return
    execution.controller = Spawning()
    core.emit(
        ef.SpawnController(
            ex_id=row.ex_id,
            job_id=row.job_id,
            generation=row.generation,
            secret=row.secret,
            wishes=_wishes(core, execution, row.wishes),
            document=execution.document,
            recovers=bool(row.lineage),
        )
    )


def _talk(core: Core, execution: Execution, controller: Attached) -> None:
    """Tell it that its outcome is applied, or what is wanted of it."""
    row = execution.durable
    if row is None:
        return
    if row.fate.outcome or row.status in TERMINAL_STATUSES:
        core.emit(ef.SendController(controller.session, OutcomeApplied()))
        execution.controller = Leaving(controller.identity, core.now.monotonic_ms + core.limits.end_ms)
        return
    if _is_overdue(core, execution):
        end(core, execution, Ending(controller.identity, EndCause.FAULT, "it did not stop in time"))
        return
    wishes = _wishes(core, execution, row.wishes)
    if wishes != controller.sent:
        core.emit(ef.SendController(controller.session, wishes))
        execution.controller = Attached(controller.identity, controller.session, wishes)


def _wishes(core: Core, execution: Execution, wishes: Wishes) -> Wishes:
    if wishes.stopping and grace_is_over(core, execution):
        return structs.replace(wishes, grace_ms=0)
    return wishes


def _is_overdue(core: Core, execution: Execution) -> bool:
    stop_at_ms = execution.stop_at_ms
    if stop_at_ms is None or execution.row.fate.outcome:
        return False
    return core.now.monotonic_ms >= stop_at_ms + core.limits.overdue_ms


def _count(core: Core, execution: Execution) -> None:
    """Save what a running execution did, now and then."""
    report = execution.report
    if report is None or execution.row.fate.outcome:
        return
    if execution.totals_due_ms is None:
        execution.totals_due_ms = core.now.monotonic_ms + core.limits.totals_ms
    elif core.now.monotonic_ms >= execution.totals_due_ms:
        count_totals(core, execution)
        operations = tuple(report.operations)
        core.change(execution, statistics=report.statistics, counts=report.counts, operations=operations)


def _finish_stop(core: Core, execution: Execution) -> None:
    """`stopped` is written when no process of the execution is left."""
    row = execution.row
    is_left = row.placement or not isinstance(execution.controller, Gone)
    if row.fate.outcome == "stopped" and not execution.is_terminal and not is_left:
        core.set_status(execution, S.STOPPED)


def _answer_waiters(core: Core, execution: Execution) -> None:
    """Tell who waits for the end when it is durable, or that it takes longer than they wait."""
    status = execution.durable.status if execution.durable else execution.row.status
    left: list[Waiter] = []
    for waiter in execution.waiters:
        if status in TERMINAL_STATUSES:
            core.emit(ef.Answer(waiter.request, ef.StatusIs(status)))
        elif core.now.monotonic_ms >= waiter.deadline_ms:  # the wish to stop may not be durable yet
            core.after_save(ef.Answer(waiter.request, ef.StatusIs(execution.row.status)), execution)
        else:
            left.append(waiter)
    execution.waiters = left


def _is_over(execution: Execution) -> bool:
    """Nothing of it runs, and the store knows all of it."""
    if not execution.is_terminal or execution.durable != execution.row:
        return False
    return not execution.row.placement and isinstance(execution.controller, Gone | NotStarted)


def _dues(core: Core, execution: Execution) -> Iterator[int | None]:
    match execution.controller:
        case Missing(_, deadline_ms) | Leaving(_, deadline_ms):
            yield deadline_ms
        case Resting(until_ms):
            yield until_ms
    stop_at_ms = execution.stop_at_ms
    if stop_at_ms is not None and not execution.row.fate.outcome:
        if core.now.monotonic_ms < stop_at_ms:
            yield stop_at_ms
        elif isinstance(execution.controller, Attached):
            yield stop_at_ms + core.limits.overdue_ms
    if execution.report is not None and not execution.row.fate.outcome:
        yield execution.totals_due_ms
    for waiter in execution.waiters:
        yield waiter.deadline_ms
