"""Which status an execution has, and what it says it waits for.

A status follows from what is wanted and what the controller reports, in that order: a report that was sent
before the controller heard of a wish never takes the wish back.
"""

from __future__ import annotations

from typing import Final

from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import (
    Attached,
    Connected,
    Execution,
    Gone,
    Inspecting,
    Leaving,
    Lost,
    Missing,
    NotStarted,
    Resting,
)
from sliceworks.protocol.states import INIT_STATUSES, ExecutionStatus

S = ExecutionStatus

_OF_PHASE: Final = {"recovering": S.RECOVERING, "running": S.RUNNING, "failing": S.FAILING}


def status_of(execution: Execution) -> ExecutionStatus:
    """The status of an execution whose controller is connected and has no outcome yet."""
    row = execution.row
    if row.status is S.STOPPING:
        return row.status
    if row.fate.verdict:
        return S.FAILING
    if row.wishes.stopping:
        return S.STOPPING
    if row.wishes.paused:
        return S.PAUSED
    phase = execution.report.phase if execution.report else ""
    if phase and phase == execution.resumed_from:
        return S.RUNNING
    return _OF_PHASE.get(phase, _without_phase(row.status))


def reason_of(core: Core, execution: Execution) -> str:
    """What the execution waits for; "" while nothing keeps it from working."""
    if execution.is_terminal:
        return ""
    if execution.row.status is S.PENDING:
        return _slots_reason(core)
    if execution.row.fate.verdict:
        return execution.row.fate.verdict
    return _controller_reason(execution) or _stop_reason(core, execution) or _worker_reason(core, execution)


def _without_phase(status: ExecutionStatus) -> ExecutionStatus:
    """Nothing is reported that says what it does: it is not paused any more, and not starting."""
    return S.RUNNING if status is S.PAUSED or status in INIT_STATUSES else status


def _slots_reason(core: Core) -> str:
    if not core.slots:
        return "waiting for a worker node: none with a slot is connected"
    return f"waiting for a free worker slot: all {core.slots} are in use"


def _controller_reason(execution: Execution) -> str:
    match execution.controller:
        case Missing() if execution.report is None:
            return "its execution controller is not connected yet"
        case Missing():
            return "its execution controller does not answer"
        case Resting():
            return "its execution controller crashed, the next one starts in a moment"
        case Inspecting(how) if how:
            return f"its execution controller is gone ({how}), another one takes over"
    return ""


def _stop_reason(core: Core, execution: Execution) -> str:
    """What a stop waits for, once the controller has ended its part."""
    if not execution.row.fate.outcome:
        return ""
    if not isinstance(execution.controller, Gone | NotStarted):
        return (
            "waiting for its execution controller to end" if isinstance(execution.controller, Leaving) else ""
        )
    silent = [node_id for node_id in execution.row.placement if not _is_connected(core, node_id)]
    if silent:
        return f"waiting for silent nodes, which may still have its workers: {', '.join(sorted(silent))}"
    return "waiting for its workers to end"


def _worker_reason(core: Core, execution: Execution) -> str:
    wanted, placed = execution.row.wishes.workers, sum(execution.row.placement.values())
    if execution.row.wishes.stopping or placed >= wanted:
        lost = [node_id for node_id in execution.row.placement if _is_lost(core, node_id)]
        if lost:
            return f"silent nodes have some of its workers: {', '.join(sorted(lost))}"
        return (
            execution.report.reason if execution.report and isinstance(execution.controller, Attached) else ""
        )
    if execution.barred:
        return _barred_reason(execution)
    return f"{placed} of {wanted} workers have a slot, the others wait for a free one"


def _barred_reason(execution: Execution) -> str:
    node_id, error = next(iter(execution.barred.items()))
    return f"its workers do not start on node {node_id}: {error}"


def _is_connected(core: Core, node_id: str) -> bool:
    node = core.nodes.get(node_id)
    return node is not None and isinstance(node.link, Connected)


def _is_lost(core: Core, node_id: str) -> bool:
    node = core.nodes.get(node_id)
    return node is not None and isinstance(node.link, Lost)
