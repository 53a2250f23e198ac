"""What of the machine's state the API shows that is in no store: who is connected now, and with what."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.machine import ClusterMachine
from sliceworks.master.cluster.model import Attached, Connected, Execution, Node, Released
from sliceworks.master.cluster.totals import totals_now
from sliceworks.master.store.records import AssetRecord, ExecutionRow, NodeRecord, Totals
from sliceworks.protocol.messages import LinkInfo, SliceTimings, Statistics, WorkerInfo
from sliceworks.protocol.states import RUNNING_STATUSES


@dataclass(frozen=True, slots=True)
class ControllerView:
    """A connected controller."""

    ex_id: str
    job_id: str
    name: str
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """An execution with the newest that is known of it."""

    row: ExecutionRow
    document: bytes  # JSON object
    timings: SliceTimings | None  # None: its controller has not said yet


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A controller process on the master's host."""

    ex_id: str
    job_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker process of a node."""

    info: WorkerInfo
    job_id: str  # "" if the execution is not known any more
    assets: tuple[str, ...] = ()  # of its execution, by id


@dataclass(frozen=True, slots=True)
class NodeView:
    """A worker daemon."""

    record: NodeRecord
    connected: bool
    draining: bool
    available: int
    workers: tuple[WorkerView, ...]
    links: tuple[LinkInfo, ...]


class ClusterView:
    """Reads the machine; only ever between two events."""

    def __init__(self, machine: ClusterMachine) -> None:
        self._machine = machine

    def controllers(self) -> list[ControllerView]:
        """Of all executions that run, by name, then start, the last first."""
        views = [_controller(item) for item in self._core.executions.values() if _is_connected(item)]
        return sorted(views, key=lambda view: (view.name, view.statistics.started), reverse=True)

    def controller(self, ex_id: str) -> ControllerView | None:
        """Of one execution; None if it has no connected controller."""
        execution = self._core.executions.get(ex_id)
        return _controller(execution) if execution and _is_connected(execution) else None

    def executions(self) -> list[ExecutionView]:
        """All that live, or have processes left."""
        return [_execution(item) for item in self._core.executions.values()]

    def processes(self) -> list[ProcessView]:
        """All controllers on this host."""
        executions = self._core.executions
        return [
            ProcessView(ex_id, executions[ex_id].row.job_id, identity.pid)
            for ex_id, identity in self._machine.processes().items()
            if identity is not None
        ]

    def nodes(self) -> list[NodeView]:
        """All worker daemons, also silent ones until they are forgotten."""
        shown = [node for node in self._core.nodes.values() if not _is_long_gone(self._core, node)]
        return [_node(self._core, node) for node in shown]

    def assets(self) -> list[AssetRecord]:
        """All assets that are listed."""
        return [asset for asset in self._core.assets.values() if asset.deleted_ms is None]

    def keeps_asset(self, asset_id: str) -> bool:
        """Whether something may need the files of an asset, listed or not."""
        return asset_id in self._core.assets

    def totals(self) -> tuple[Totals, int]:
        """The cluster's sums, and the slices queued now."""
        return totals_now(self._core)

    @property
    def _core(self) -> Core:
        return self._machine.core


def _is_connected(execution: Execution) -> bool:
    return execution.row.status in RUNNING_STATUSES and isinstance(execution.controller, Attached)


def _controller(execution: Execution) -> ControllerView:
    row = execution.row
    report = execution.report
    return ControllerView(row.ex_id, row.job_id, row.name, report.statistics if report else Statistics())


def _execution(execution: Execution) -> ExecutionView:
    row, report = execution.row, execution.report
    if report is None:
        return ExecutionView(row, execution.document, None)
    newest = replace(row, counts=report.counts, operations=tuple(report.operations))
    return ExecutionView(newest, execution.document, report.timings)


def _node(core: Core, node: Node) -> NodeView:
    connected = isinstance(node.link, Connected)
    infos = node.state.workers if node.state else []
    known = {ex_id: core.executions[ex_id] for ex_id in node.guests}
    return NodeView(
        record=node.record,
        connected=connected,
        draining=node.is_draining,
        available=max(0, node.record.slots - _taken(core, node)) if connected and not node.is_draining else 0,
        workers=tuple(_worker(info, known.get(info.ex_id)) for info in infos),
        links=tuple(node.state.links) if node.state else (),
    )


def _worker(info: WorkerInfo, execution: Execution | None) -> WorkerView:
    return WorkerView(info, execution.row.job_id, execution.assets) if execution else WorkerView(info, "")


def _taken(core: Core, node: Node) -> int:
    """Slots with a worker, or promised to one."""
    running: dict[str, int] = {}
    for info in node.state.workers if node.state else ():
        running[info.ex_id] = running.get(info.ex_id, 0) + 1
    for ex_id in node.guests:
        wanted = core.executions[ex_id].row.placement.get(node.record.node_id, 0)
        running[ex_id] = max(running.get(ex_id, 0), wanted)
    return sum(running.values())


def _is_long_gone(core: Core, node: Node) -> bool:
    limits = core.limits
    return (
        isinstance(node.link, Released)
        and not node.record.drained
        and core.now.monotonic_ms >= node.link.since_ms + 2 * limits.disconnect_ms
    )
