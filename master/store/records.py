"""What the cluster store keeps, as values: the same for every engine, and for the machine that decides them.

A row is whole: saving it again changes nothing, and the newest save wins.  Times are milliseconds of the wall
clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sliceworks.master.search.conditions import Condition
from sliceworks.protocol.messages import OperationTotals, SliceCounts, Statistics, Wishes
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it was posted."""

    job_id: str
    name: str
    document: bytes  # JSON object, the client's own
    created_ms: int
    updated_ms: int  # grows with every change of the job
    deleted_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """How an execution ended, or is going to end whatever else happens; "" where nothing is decided yet."""

    outcome: str = ""  # what its controller reported, durable in its own store
    verdict: str = ""  # why the master ends it as failed; its controller is told to stop


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """All of an execution that changes; its document does not."""

    ex_id: str
    job_id: str
    name: str
    created_ms: int
    updated_ms: int
    status: ExecutionStatus
    wishes: Wishes
    reason: str = ""  # _status_reason
    generation: int = 0  # 0: no controller was ever started
    secret: bytes = b""
    controller: Identity | None = None
    port: int = 0  # where the controller listens; 0: it never did
    fate: Fate = field(default_factory=Fate)
    failure: str = ""
    has_errors: bool = False
    statistics: Statistics = field(default_factory=Statistics)
    counts: SliceCounts = field(default_factory=SliceCounts)
    operations: tuple[OperationTotals, ...] = ()
    counted: Statistics = field(default_factory=Statistics)  # what of them is in the cluster's totals
    placement: Mapping[str, int] = field(default_factory=dict)  # node_id -> workers; 0: some may be left
    lineage: str = ""  # the first execution of those that recovered one another; "": it recovers nothing


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution as it is read."""

    row: ExecutionRow
    document: bytes  # JSON object: the validated job with its ids
    deleted_ms: int | None = None  # deleted with its job


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A worker daemon that the cluster knows."""

    node_id: str
    incarnation: str
    hostname: str
    pid: int
    slots: int
    python_version: str
    sliceworks_version: str
    drained: bool = False  # taken out of service, until it is resumed


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """A bundle that was uploaded; "" where it says nothing, which means any."""

    asset_id: str
    name: str
    version: str
    created_ms: int
    description: str = ""
    python_version: str = ""
    platform: str = ""
    arch: str = ""
    document: bytes = b"{}"  # JSON object: all of its asset.json
    operations: tuple[str, ...] = ()  # the names of what is in it
    deleted_ms: int | None = None  # not listed any more; kept for executions that have begun with it


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all executions that ever ran."""

    processed: int = 0
    failed: int = 0
    job_duration: int = 0
    workers_joined: int = 0
    workers_disconnected: int = 0
    workers_reconnected: int = 0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a controller that connects has to match."""

    generation: int
    secret: bytes
    status: ExecutionStatus


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """What a starting master has to know."""

    executions: tuple[StoredExecution, ...]  # in creation order: all that live, or whose controller may
    nodes: tuple[NodeRecord, ...]
    totals: Totals
    key: bytes  # random, made once: the secrets of controllers are derived from it
    assets: tuple[AssetRecord, ...] = ()


# --- changes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddJob:
    """A new job."""

    job: JobRecord


@dataclass(frozen=True, slots=True)
class SaveJob:
    """The job as it is now.

    Refused with GoneError if it was deleted, and with ConflictError if it was changed after `replaces_ms`,
    its `updated_ms` when it was read.
    """

    job: JobRecord
    replaces_ms: int


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Mark a job and its executions as deleted; refused with GoneError if it is already.

    The job is inactive from then on.
    """

    job_id: str
    deleted_ms: int


@dataclass(frozen=True, slots=True)
class AddExecution:
    """A new execution; refused with ConflictError while another one of its job lives.

    Refused with GoneError if the job was deleted.
    """

    row: ExecutionRow
    document: bytes


@dataclass(frozen=True, slots=True)
class SaveExecution:
    """The execution as it is now."""

    row: ExecutionRow


@dataclass(frozen=True, slots=True)
class SaveNode:
    """A node that said hello."""

    node: NodeRecord


@dataclass(frozen=True, slots=True)
class ForgetNode:
    """A node that is gone for good."""

    node_id: str


@dataclass(frozen=True, slots=True)
class SaveTotals:
    """The sums as they are now."""

    totals: Totals


@dataclass(frozen=True, slots=True)
class SaveAsset:
    """The asset as it is now, new or not."""

    asset: AssetRecord


@dataclass(frozen=True, slots=True)
class ForgetAsset:
    """An asset that nothing needs any more."""

    asset_id: str


AssetChange: TypeAlias = SaveAsset | ForgetAsset
JobChange: TypeAlias = AddJob | SaveJob | DeleteJob
Change: TypeAlias = (
    JobChange | AssetChange | AddExecution | SaveExecution | SaveNode | ForgetNode | SaveTotals
)


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key of a list."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted, and in which order."""

    size: int = 100
    offset: int = 0
    order: tuple[Order, ...] = (Order("_updated", descending=True),)
    matching: Condition | None = None  # None: all
