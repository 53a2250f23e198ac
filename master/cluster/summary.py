"""The cluster in one line, for `systemctl status`."""

from __future__ import annotations

from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import Connected
from sliceworks.protocol.states import RUNNING_STATUSES


def summary(core: Core) -> str:
    """Such as `3 executions running, 2 nodes, 8 of 10 slots busy`; silent nodes do not count."""
    running = sum(execution.row.status in RUNNING_STATUSES for execution in core.executions.values())
    nodes = [node for node in core.nodes.values() if isinstance(node.link, Connected)]
    slots = sum(node.record.slots for node in nodes)
    busy = sum(len(node.state.workers) for node in nodes if node.state)
    return (
        f"{_count(running, 'execution')} running, {_count(len(nodes), 'node')}, {busy} of {slots} slots busy"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
