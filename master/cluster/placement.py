"""Where workers are to be: the allocation over nodes, and what each node is told of it.

A node keeps its place in an execution's placement, with 0 workers wanted, until it is known that no worker is
left there: that is how `stopped` knows when nothing runs any more, also after a restart of the master.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

from msgspec import structs

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import Connected, Execution, Gone, Lost, Node, NotStarted, Released
from sliceworks.master.cluster.reach import shunned_by
from sliceworks.master.scaling import Access, Demand, Room, place
from sliceworks.protocol.messages import Assignment, Assignments
from sliceworks.protocol.states import ExecutionStatus

_RUNNING = ("idle", "busy")
_ENDING = "ending"


def rebalance(core: Core) -> None:
    """Place what every execution wants on what every node has."""
    core.rebalance = False
    rooms = [_room(core, node) for node in core.nodes.values()]
    free = sum(_free_slots(core, room) for room in rooms if room.access is Access.OPEN)
    wanting = [execution for execution in core.active.values() if execution.wants_workers]
    wanting += islice(core.pending.values(), free)  # more of them cannot start, however many there are
    placed = place([_demand(core, execution) for execution in wanting], rooms)
    for execution in wanting:
        shares = placed[execution.row.ex_id]
        if sum(shares.values()) < sum(execution.row.placement.values()):
            core.rebalance = True  # what it gave up may let a pending one start
        core.set_placement(execution, {**dict.fromkeys(execution.row.placement, 0), **shares})
        if sum(shares.values()) < execution.row.wishes.workers or execution.barred:
            core.touch(execution)
    for execution in core.active.values():
        if not execution.wants_workers:
            core.set_placement(execution, _last_placement(core, execution))
    _note_slots(core, sum(room.slots for room in rooms if room.access is Access.OPEN))


def sync(core: Core, node: Node) -> None:
    """Tell a node what it shall run, if it was told otherwise; see whether something ended there."""
    if not isinstance(node.link, Connected):
        return
    guests = [core.executions[ex_id] for ex_id in sorted(node.guests)]
    items = [_assignment(core, execution, node.record.node_id) for execution in guests]
    wanted = tuple(item for item in items if item is not None)
    if wanted != node.sent:
        node.sent = wanted
        node.revision = max(node.revision + 1, core.now.wall_ms)
        core.emit(ef.SendNode(node.link.session, Assignments(node.revision, list(wanted))))
    busy = {item.ex_id for item in wanted if item.workers}
    for ex_id in busy:
        node.empty_since.pop(ex_id, None)
    for ex_id in node.guests - busy:
        node.empty_since.setdefault(ex_id, node.revision)
    confirm_ends(core, node)


def confirm_ends(core: Core, node: Node) -> None:
    """Take the node out of executions that have nothing there any more, by its own word."""
    if node.state is None:
        return
    for ex_id in sorted(node.guests):
        execution = core.executions[ex_id]
        emptied = node.empty_since.get(ex_id)
        wanted = execution.row.placement.get(node.record.node_id, 0)
        if wanted or emptied is None or node.state.revision < emptied or node.workers_of(ex_id):
            continue
        leave(core, execution, node.record.node_id)


def leave(core: Core, execution: Execution, node_id: str) -> None:
    """Nothing of the execution is left on the node."""
    core.set_placement(
        execution, {name: count for name, count in execution.row.placement.items() if name != node_id}
    )


def expire_silent(core: Core, execution: Execution) -> int | None:
    """Give up on nodes that were silent so long that they have ended its workers; when to look again."""
    dues = []
    for node_id, wanted in dict(execution.row.placement).items():
        node = core.nodes.get(node_id)
        if node is None:
            leave(core, execution, node_id)
        elif isinstance(node.link, Released) and not wanted:
            due_ms = _silent_end_ms(core, execution, node.link.since_ms)
            if core.now.monotonic_ms >= due_ms:
                leave(core, execution, node_id)
            else:
                dues.append(due_ms)
    return min(dues, default=None)


def running_on(execution: Execution, node: Node) -> int:
    """Workers of the execution that started well on the node."""
    workers = node.state.workers if node.state else []
    return sum(worker.ex_id == execution.row.ex_id and worker.state in _RUNNING for worker in workers)


def grace_is_over(core: Core, execution: Execution) -> bool:
    """Whether a stop has waited long enough for slices in hand."""
    return execution.stop_at_ms is not None and core.now.monotonic_ms >= execution.stop_at_ms


def start_verdict(core: Core, execution: Execution) -> None:
    """Fail an execution whose workers start on no node at all; its controller is told to stop, and ends."""
    if not execution.barred or not execution.wants_workers:
        return
    usable = [node for node in core.nodes.values() if _can_serve(node)]
    if not usable or any(
        node.record.node_id not in execution.barred or running_on(execution, node) for node in usable
    ):
        return
    error = next(iter(execution.barred.values()))
    verdict = f"workers of execution {execution.row.ex_id} do not start on any node: {error}"
    core.change(
        execution,
        fate=replace(execution.row.fate, verdict=verdict),
        failure=verdict,
        has_errors=True,
        wishes=structs.replace(execution.row.wishes, stopping=True, grace_ms=0),
    )
    execution.stop_at_ms = core.now.monotonic_ms
    if execution.row.status is not ExecutionStatus.STOPPING:
        core.set_status(execution, ExecutionStatus.FAILING)


def _note_slots(core: Core, slots: int) -> None:
    """What pending executions wait for depends on whether there are slots at all."""
    if slots != core.slots:
        core.slots = slots
        for execution in core.pending.values():
            core.touch(execution)


def _free_slots(core: Core, room: Room) -> int:
    """Slots that nobody has, and nobody was promised."""
    promised = {
        ex_id: core.executions[ex_id].row.placement.get(room.node_id, 0)
        for ex_id in core.nodes[room.node_id].guests
        if core.executions[ex_id].wants_workers
    }
    held = sum(max(count, room.running.get(ex_id, 0)) for ex_id, count in promised.items())
    return max(0, room.slots - room.taken - held)


def _demand(core: Core, execution: Execution) -> Demand:
    limits = {
        name: running_on(execution, core.nodes[name]) for name in execution.barred if name in core.nodes
    }
    limits |= dict.fromkeys(shunned_by(core, execution), 0)
    return Demand(execution.row.ex_id, execution.row.wishes.workers, execution.row.placement, limits)


def _room(core: Core, node: Node) -> Room:
    """Slots that are taken beside the demands: by executions that end, and by workers that do.

    A worker that ends within the share of its execution (killed for a time limit, or unable to start) makes
    room for its successor, and for nobody else.
    """
    running: Counter[str] = Counter()
    ending: Counter[str] = Counter()
    taken = 0
    for ex_id in node.guests:
        execution = core.executions[ex_id]
        if not execution.wants_workers:
            taken += max(execution.row.placement.get(node.record.node_id, 0), node.workers_of(ex_id))
    for worker in node.state.workers if node.state else ():
        host = core.executions.get(worker.ex_id)
        if host is None or worker.ex_id not in node.guests:
            taken += 1
        elif host.wants_workers:
            (ending if worker.state == _ENDING else running)[worker.ex_id] += 1
    for ex_id, count in ending.items():
        share = core.executions[ex_id].row.placement.get(node.record.node_id, 0)
        replaced = min(count, max(0, share - running[ex_id]))
        running[ex_id] += replaced
        taken += count - replaced
    return Room(node.record.node_id, node.record.slots, _access(node), taken, running)


def _access(node: Node) -> Access:
    match node.link:
        case Connected() if node.is_draining:
            return Access.CLOSED
        case Connected():
            return Access.OPEN if node.state is not None else Access.KEEPS
        case Lost():
            return Access.KEEPS
        case Released():
            return Access.CLOSED


def _last_placement(core: Core, execution: Execution) -> dict[str, int]:
    """Where an execution that gets no more has workers: kept until slices in hand are done, then nothing."""
    if execution.is_terminal or execution.row.fate.outcome:
        return dict.fromkeys(execution.row.placement, 0)
    released = [
        node_id
        for node_id in execution.row.placement
        if node_id in core.nodes and isinstance(core.nodes[node_id].link, Released)
    ]
    return {**execution.row.placement, **dict.fromkeys(released, 0)}


def _assignment(core: Core, execution: Execution, node_id: str) -> Assignment | None:
    """What the node is told of an execution; None: nothing of it shall run there."""
    row = execution.durable
    if row is None or execution.contact is None or node_id not in row.placement:
        return None
    if row.fate.outcome or execution.is_terminal:
        return None
    generation, secret, port = execution.contact
    over = row.wishes.stopping and grace_is_over(core, execution)
    grace_ms = row.wishes.grace_ms if row.wishes.stopping else core.limits.shutdown_ms
    return Assignment(
        ex_id=row.ex_id,
        job_id=row.job_id,
        generation=generation,
        host=core.limits.hostname,
        port=port,
        secret=secret,
        workers=0 if over else row.placement[node_id],
        grace_ms=0 if over else grace_ms,
        execution=execution.document,
        log_level=row.wishes.log_level,
    )


def _silent_end_ms(core: Core, execution: Execution, since_ms: int) -> int:
    """When a daemon that is silent since then has ended its workers.

    It ends them when it has reached neither master nor controller for the timeout; a controller that is gone
    is reached by nobody, and one that lives on the master's host is not reached for long by who does not
    reach the master.
    """
    limits = core.limits
    latest_ms = since_ms + 2 * limits.disconnect_ms + limits.margin_ms
    match execution.controller:
        case Gone(gone_ms):
            return min(max(since_ms, gone_ms) + limits.disconnect_ms + limits.margin_ms, latest_ms)
        case NotStarted():
            return since_ms + limits.disconnect_ms + limits.margin_ms
    return latest_ms


def _can_serve(node: Node) -> bool:
    """Also one that drains: it comes back, and a drain fails nothing."""
    return node.record.slots > 0 and not isinstance(node.link, Released)
