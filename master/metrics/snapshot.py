"""What is shown for Prometheus, taken at one moment: values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sliceworks.master.cluster.view import ControllerView, ExecutionView, NodeView, ProcessView
from sliceworks.master.store.records import Totals


@dataclass(frozen=True, slots=True)
class MasterInfo:
    """What the master is."""

    cluster: str
    architecture: str
    api_version: str
    own_version: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown."""

    about: MasterInfo
    totals: Totals
    queued: int
    controllers: Sequence[ControllerView]
    processes: Sequence[ProcessView]
    nodes: Sequence[NodeView]
    executions: Sequence[ExecutionView]
    trouble: str
