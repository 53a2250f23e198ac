"""Worker daemons: they come, tell what they run, fall silent, come back or are forgotten.

A drained node keeps its connection and gets no work: its share is placed elsewhere, and its workers end after
the slice in hand.  That is a wish, and durable: it holds for every daemon that comes back under this node id.
"""

from __future__ import annotations

from dataclasses import replace

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.core import NODE, Core
from sliceworks.master.cluster.model import Connected, Lost, Node, Released
from sliceworks.master.cluster.placement import confirm_ends, leave
from sliceworks.master.cluster.reach import next_verdict_ms, note_links
from sliceworks.master.store.records import ForgetNode, NodeRecord, SaveNode
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.messages import NodeState


def attached(core: Core, event: ev.NodeAttached) -> None:
    """It said hello; everything it shall run is sent to it."""
    node_id = event.node.node_id
    node = core.nodes.get(node_id)
    if node is None:
        node = core.nodes[node_id] = Node(event.node, Connected(event.session))
        core.save(SaveNode(event.node))
    else:
        _come_back(core, node, event)
    core.note("node_connected", node_id=node_id, hostname=event.node.hostname, slots=event.node.slots)
    node.sent = None
    _touch(core, node)


def reported(core: Core, event: ev.NodeReported) -> None:
    """It told all that it runs."""
    node = _of_session(core, event.node_id, event.session)
    if node is None:
        return
    before = _occupancy(node.state)
    node.state = event.state
    _note_start_failures(core, node, event.state)
    note_links(core, node, event.state)
    confirm_ends(core, node)
    core.touched_nodes[node.record.node_id] = None
    if _occupancy(event.state) != before:
        core.rebalance = True


def detached(core: Core, event: ev.NodeDetached) -> None:
    """Its connection is gone; its workers may well run."""
    node = _of_session(core, event.node_id, event.session)
    if node is None:
        return
    core.note("node_lost", node_id=event.node_id, hostname=node.record.hostname)
    node.link = Lost(core.now.monotonic_ms)
    _touch(core, node)


def drain(core: Core, event: ev.DrainRequested) -> None:
    """Take it out of service."""
    _set_drained(core, event, drained=True)


def resume(core: Core, event: ev.ReturnRequested) -> None:
    """Take it back into service."""
    _set_drained(core, event, drained=False)


def settle(core: Core, node: Node) -> None:
    """Do what time asks for, and set when to look again."""
    limits, now_ms = core.limits, core.now.monotonic_ms
    if isinstance(node.link, Lost) and now_ms >= node.link.since_ms + limits.disconnect_ms:
        core.note("node_released", node_id=node.record.node_id)
        node.link = Released(node.link.since_ms)
        _touch(core, node)
    due_ms = next_verdict_ms(core, node) if isinstance(node.link, Connected) else None
    if isinstance(node.link, Lost):
        due_ms = node.link.since_ms + limits.disconnect_ms
    if isinstance(node.link, Released):
        due_ms = node.link.since_ms + 2 * limits.disconnect_ms
        if now_ms >= due_ms:
            due_ms = None
            _forget(core, node)
    core.timers.set((NODE, node.record.node_id), due_ms)


def _set_drained(core: Core, event: ev.DrainRequested | ev.ReturnRequested, *, drained: bool) -> None:
    node = core.nodes.get(event.node_id)
    if node is None:
        core.emit(ef.Reject(event.request, NotFoundError(f"Could not find node {event.node_id}")))
        return
    if node.record.drained != drained:
        node.record = replace(node.record, drained=drained)
        core.save(SaveNode(node.record))
        core.note("node_drained" if drained else "node_resumed", node_id=event.node_id)
        _touch(core, node)
    core.after_changes(ef.Answer(event.request, ef.Done()))


def _touch(core: Core, node: Node) -> None:
    """It came or went: look at everything that depends on it."""
    core.rebalance = True
    core.touched_nodes[node.record.node_id] = None
    for ex_id in node.guests:
        core.touch(core.executions[ex_id])


def _forget(core: Core, node: Node) -> None:
    """Drop a node that is gone for good; one with guests goes when the last of them has left.

    A drained one stays: it must not come back into service because it was away for long.
    """
    node_id = node.record.node_id
    if node.guests or node.record.drained:
        return
    note_links(core, node, NodeState([], []))
    del core.nodes[node_id]
    core.save(ForgetNode(node_id))
    core.note("node_forgotten", node_id=node_id)


def _come_back(core: Core, node: Node, event: ev.NodeAttached) -> None:
    if isinstance(node.link, Connected):
        core.emit(ef.DropSession(node.link.session, "replaced by a newer connection of the same node"))
    node.link = Connected(event.session)
    if event.node.incarnation != node.record.incarnation:
        _start_anew(core, node)
    record = replace(event.node, drained=node.record.drained)
    if record != node.record:
        node.record = record
        core.save(SaveNode(record))


def _start_anew(core: Core, node: Node) -> None:
    """Another process has taken the node over: whatever the one before ran is gone."""
    node_id = node.record.node_id
    node.state = NodeState([], [])
    note_links(core, node, node.state)
    node.empty_since.clear()
    for execution in core.executions.values():
        execution.barred.pop(node_id, None)
    for ex_id in sorted(node.guests):
        if not core.executions[ex_id].row.placement.get(node_id):
            leave(core, core.executions[ex_id], node_id)


def _note_start_failures(core: Core, node: Node, state: NodeState) -> None:
    for link in state.links:
        execution = core.executions.get(link.ex_id)
        if execution is None or link.start_failures < core.limits.start_failures:
            continue
        if node.record.node_id not in execution.barred:
            core.note("workers_do_not_start", ex_id=link.ex_id, node_id=node.record.node_id)
            core.rebalance = True
            core.touch(execution)
        execution.barred[node.record.node_id] = link.start_error


def _of_session(core: Core, node_id: str, session: int) -> Node | None:
    node = core.nodes.get(node_id)
    return node if node is not None and node.link == Connected(session) else None


def _occupancy(state: NodeState | None) -> object:
    """What of a state matters for where workers are placed."""
    if state is None:
        return None
    return state.draining, sorted((worker.ex_id, worker.state == "ending") for worker in state.workers)


def known(record: NodeRecord, *, since_ms: int) -> Node:
    """A node that an earlier master knew: silent until it says hello."""
    return Node(record, Lost(since_ms))
