"""The life of an execution's controller: birth, hello, reports, outcome, death, successor.

What always holds: a successor is ordered only after its generation is durable and after the predecessor is
known to be dead; an outcome that the controller recorded is applied, whoever of both dies in between; a crash
loop ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from msgspec import structs

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import (
    Attached,
    EndCause,
    Ending,
    Execution,
    Gone,
    Inspecting,
    Leaving,
    Missing,
    NotStarted,
    Raising,
    Resting,
    Spawning,
)
from sliceworks.master.cluster.statuses import status_of
from sliceworks.master.cluster.totals import count_totals
from sliceworks.protocol.messages import ControllerOutcome, ControllerReport, SaveAndEnd, SliceCounts
from sliceworks.protocol.states import INIT_STATUSES, ExecutionStatus

S = ExecutionStatus

FIRST_REST_MS: Final = 500
_BY_OUTCOME: Final = {
    "completed": S.COMPLETED,
    "failed": S.FAILED,
    "terminated": S.TERMINATED,
    "stopped": S.STOPPED,
}
_PROCESSLESS: Final = NotStarted | Raising | Inspecting | Resting | Gone


def raise_generation(core: Core, execution: Execution) -> None:
    """Prepare the next controller: it is ordered when its number is durable."""
    generation = execution.row.generation + 1
    core.change(execution, generation=generation, secret=core.secret_of(execution.row.ex_id, generation))
    execution.controller = Raising()
    core.touch(execution)


def spawned(core: Core, event: ev.ControllerSpawned) -> None:
    """The process exists, and waits until it is on record: no master may forget one that has begun."""
    execution = _of_generation(core, event.ex_id, event.generation)
    if execution is None or not isinstance(execution.controller, Spawning):
        return core.emit(ef.EndController(event.ex_id, event.identity))
    execution.controller = Missing(event.identity, core.now.monotonic_ms + core.limits.hello_ms)
    core.change(execution, controller=event.identity)
    core.after_save(ef.ReleaseController(event.ex_id, event.generation), execution)
    if execution.row.status is S.SCHEDULING:
        core.set_status(execution, S.INITIALIZING)
    if core.closing:
        end(core, execution, Ending(event.identity, EndCause.UNFIT, "the master is shutting down"))
    core.touch(execution)
    return None


def attached(core: Core, event: ev.ControllerAttached) -> None:
    """It said hello on a new session, which replaces any older one."""
    execution = _of_generation(core, event.ex_id, event.generation)
    if execution is None:
        return core.emit(ef.DropSession(event.session, "a newer controller has this execution"))
    match execution.controller:
        case Missing(identity) | Leaving(identity):
            pass
        case Attached(identity, session):
            core.emit(ef.DropSession(session, "replaced by a newer connection"))
        case _:
            return core.emit(ef.DropSession(event.session, "this controller is not expected now"))
    execution.controller = Attached(identity, event.session)
    execution.contact = (event.generation, execution.row.secret, event.port)
    if execution.stop_at_ms is not None:
        execution.stop_at_ms = max(execution.stop_at_ms, core.now.monotonic_ms)
    core.change(execution, port=event.port)
    core.touch_nodes(execution.row.placement)
    core.touch(execution)
    if core.closing:
        core.emit(ef.SendController(event.session, SaveAndEnd()))
    return None


def reported(core: Core, event: ev.ControllerReported) -> None:
    """What the execution does; its status follows."""
    execution = _of_session(core, event.ex_id, event.session)
    if execution is None or execution.row.fate.outcome:
        return
    _take_report(core, execution, event.report)
    core.set_status(execution, status_of(execution))
    if execution.row.status is S.FAILING:
        core.change(execution, **_figures(event.report))


def concluded(core: Core, event: ev.ControllerConcluded) -> None:
    """How the execution ended; told again until it is applied."""
    execution = _of_session(core, event.ex_id, event.session)
    if execution is not None:
        conclude(core, execution, event.outcome)


def detached(core: Core, event: ev.ControllerDetached) -> None:
    """It is connected no more; it may come back."""
    execution = _of_session(core, event.ex_id, event.session)
    if execution is None or not isinstance(execution.controller, Attached):
        return
    execution.controller = Missing(execution.controller.identity, event.heard_ms + core.limits.silence_ms)
    core.touch(execution)


def unfit(core: Core, event: ev.ControllerUnfit) -> None:
    """It speaks another version: this master replaces it by one of its own."""
    execution = _of_generation(core, event.ex_id, event.generation)
    if execution is not None and isinstance(execution.controller, Missing):
        end(core, execution, Ending(execution.controller.identity, EndCause.UNFIT, event.reason))


def exited(core: Core, event: ev.ControllerExited) -> None:
    """The process is gone; whether it left an outcome is read before anything else is decided."""
    execution = _of_generation(core, event.ex_id, event.generation)
    if execution is None or isinstance(execution.controller, _PROCESSLESS):
        return
    how = event.how
    if isinstance(execution.controller, Ending):
        how = "" if execution.controller.cause is EndCause.UNFIT else execution.controller.how
    core.change(execution, controller=None)
    core.touch(execution)
    if core.closing:
        execution.controller = NotStarted()
    elif execution.is_terminal or execution.row.fate.outcome:
        execution.controller = Gone(core.now.monotonic_ms)
    else:
        inspect(core, execution, how)


def inspect(core: Core, execution: Execution, how: str) -> None:
    """Read what a dead controller left; `how` is "" if its death was no crash."""
    core.note("controller_gone", ex_id=execution.row.ex_id, generation=execution.row.generation, how=how)
    count_totals(core, execution)
    execution.controller = Inspecting(how)
    execution.report = None
    core.emit(ef.InspectStore(execution.row.ex_id, execution.row.generation))


def inspected(core: Core, event: ev.StoreInspected) -> None:
    """A dead controller's outcome is applied; without one a successor goes on."""
    execution = _of_generation(core, event.ex_id, event.generation)
    if execution is None or not isinstance(execution.controller, Inspecting) or core.closing:
        return
    if event.outcome:
        conclude(core, execution, event.outcome)
        execution.controller = Gone(core.now.monotonic_ms)
        return
    _replace(core, execution, how=execution.controller.how, counts=event.counts)


def conclude(core: Core, execution: Execution, outcome: ControllerOutcome) -> None:
    """Apply an outcome, once.  `stopped` is written later, when nothing of the execution runs any more."""
    if execution.row.fate.outcome or execution.is_terminal:
        return
    _take_report(core, execution, outcome.report)
    core.change(
        execution, fate=replace(execution.row.fate, outcome=outcome.status), **_figures(outcome.report)
    )
    count_totals(core, execution)
    status, failure = _final_status(execution, outcome)
    if failure:
        core.change(execution, failure=failure)
    if execution.row.status is S.SCHEDULING:
        core.set_status(execution, S.INITIALIZING)
    if status is not S.STOPPED:
        core.change(execution, has_errors=execution.row.has_errors or status is S.FAILED)
        core.set_status(execution, status)
    core.rebalance = True
    core.touch(execution)


def end(core: Core, execution: Execution, ending: Ending) -> None:
    """Kill the controller; its exit is told like any other."""
    core.note("controller_ended", ex_id=execution.row.ex_id, pid=ending.identity.pid, why=ending.how)
    execution.controller = ending
    core.emit(ef.EndController(execution.row.ex_id, ending.identity))


def _of_generation(core: Core, ex_id: str, generation: int) -> Execution | None:
    execution = core.executions.get(ex_id)
    return execution if execution is not None and execution.row.generation == generation else None


def _of_session(core: Core, ex_id: str, session: int) -> Execution | None:
    """The execution whose controller is connected by exactly this session."""
    execution = core.executions.get(ex_id)
    if execution is None or not isinstance(execution.controller, Attached):
        return None
    return execution if execution.controller.session == session else None


def _take_report(core: Core, execution: Execution, report: ControllerReport) -> None:
    execution.report = report
    if report.phase != execution.resumed_from:
        execution.resumed_from = ""
    has_errors = execution.row.has_errors or bool(report.failure) or report.counts.error > 0
    failure = report.failure or execution.row.failure
    core.change(execution, has_errors=has_errors, failure=failure)
    core.touch(execution)


def _figures(report: ControllerReport) -> dict[str, object]:
    return {
        "statistics": report.statistics,
        "counts": report.counts,
        "operations": tuple(report.operations),
    }


def _final_status(execution: Execution, outcome: ControllerOutcome) -> tuple[ExecutionStatus, str]:
    """The status that the execution ends with, and the text for its failure."""
    status = _BY_OUTCOME.get(outcome.status)
    row = execution.row
    if row.fate.verdict and status in (S.STOPPED, S.TERMINATED):
        return S.FAILED, row.fate.verdict
    if status is S.STOPPED and row.wishes.stopping:
        return status, ""
    if status is None or status is S.STOPPED:
        return (
            S.TERMINATED,
            f'its controller ended with outcome "{outcome.status}" without being asked to stop',
        )
    return status, outcome.failure


def _replace(core: Core, execution: Execution, *, how: str, counts: SliceCounts) -> None:
    """Start a successor, later and later while there is no progress; too many such crashes end it all."""
    if execution.row.status not in INIT_STATUSES | {S.STOPPING}:
        core.set_status(execution, S.RECOVERING)
    if not how:
        return raise_generation(core, execution)
    _count_crash(core, execution, counts)
    crashes = len(execution.crashes)
    if crashes >= core.limits.crashes:
        return _give_up(core, execution, how)
    rest_ms = FIRST_REST_MS << (crashes - 2) if crashes > 1 else 0
    if not rest_ms:
        return raise_generation(core, execution)
    execution.controller = Resting(core.now.monotonic_ms + rest_ms)
    core.touch(execution)
    return None


def _count_crash(core: Core, execution: Execution, counts: SliceCounts) -> None:
    """Crashes with progress in between are no loop: only those without are counted."""
    ended = counts.completed + counts.error
    seen = ended * 2 + counts.pending + counts.start  # grows when slices are made and when they end
    if seen > execution.slices_seen >= 0:
        execution.crashes.clear()
    execution.slices_seen = seen
    since_ms = core.now.monotonic_ms - core.limits.crash_window_ms
    execution.crashes = [at for at in execution.crashes if at > since_ms] + [core.now.monotonic_ms]


def _give_up(core: Core, execution: Execution, how: str) -> None:
    """Start one more controller, only to stop: it takes back what is in hand, so that no slice stays leased.

    If that one crashes as well, the execution ends as it is.
    """
    if execution.row.status is S.SCHEDULING:
        core.set_status(execution, S.INITIALIZING)
    if execution.row.fate.verdict:
        core.change(execution, failure=execution.row.fate.verdict, has_errors=True)
        core.set_status(execution, S.FAILED)
        execution.controller = Gone(core.now.monotonic_ms)
        return core.touch(execution)
    minutes = core.limits.crash_window_ms // 60_000
    verdict = (
        f"the execution controller of {execution.row.ex_id} crashed {core.limits.crashes} times within "
        f"{minutes} minutes without progress, the last time: {how}; its slices are kept, its log says more"
    )
    fate = replace(execution.row.fate, verdict=verdict)
    wishes = structs.replace(execution.row.wishes, stopping=True, grace_ms=0)
    core.change(execution, fate=fate, wishes=wishes, failure=verdict, has_errors=True)
    execution.stop_at_ms = core.now.monotonic_ms
    if execution.row.status is not S.STOPPING:
        core.set_status(execution, S.FAILING)
    return raise_generation(core, execution)
