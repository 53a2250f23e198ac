"""What a worker daemon shows on `/metrics`, as values: taken by the node, written elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sliceworks.protocol.families import Family
from sliceworks.protocol.messages import SliceTimings

_NODE: Final = ("node_id", "hostname")
_JOB: Final = ("ex_id", "job_id", "job_name", "assignment", "node_id")
ASSIGNMENT: Final = "worker"

WORKER_FAMILIES: Final = (
    Family("teraslice_job_worker_info", "gauge", "workers of the execution on this node", (*_JOB, "version")),
    Family("teraslice_job_slices_processed", "gauge", "tries of slices that ended on this node", _JOB),
    Family(
        "teraslice_job_slice_run_seconds",
        "histogram",
        "how long tries of slices took on this node, since the execution came here",
        _JOB,
    ),
    Family("teraslice_job_node_slots", "gauge", "slots for workers", _NODE),
    Family("teraslice_job_node_workers", "gauge", "worker processes", _NODE),
    Family("teraslice_job_node_master_connected", "gauge", "1 while the master is reached", _NODE),
)


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One execution on this node."""

    ex_id: str
    job_id: str
    job_name: str
    workers: int
    timings: SliceTimings


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """This node."""

    node_id: str
    hostname: str
    slots: int
    workers: int
    master_found: bool
    pools: list[PoolFigures]
