"""What can happen to the cluster.

`request` numbers belong to the asker: an answer carries the number back.  A `session` is one websocket;
frames of a session that was replaced change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from sliceworks.master.store.records import AssetRecord, JobRecord, NodeRecord, StoredExecution, Totals
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.messages import ControllerOutcome, ControllerReport, NodeState, SliceCounts
from sliceworks.protocol.process import Identity


class Now(NamedTuple):
    """Both clocks at the moment of an event, in milliseconds."""

    monotonic_ms: int
    wall_ms: int


# --- the store --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """The first event: what the master before this one left, and which recorded controllers still run."""

    executions: tuple[StoredExecution, ...]
    alive: frozenset[str]  # ex_ids
    nodes: tuple[NodeRecord, ...] = ()
    totals: Totals = field(default_factory=Totals)
    key: bytes = b""
    assets: tuple[AssetRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """Save `number`, and all before it, are durable."""

    number: int


@dataclass(frozen=True, slots=True)
class SaveRefused:
    """Save `number` changed nothing: it contradicts what is stored."""

    number: int
    error: SliceworksError


# --- clients ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartRequested:
    """Make an execution of a job.

    `job` is set when the job itself is new; without `ex_id` it is only stored.  With a `lineage`, the ex_id
    of its first execution, it recovers what those have left.
    """

    request: int
    job_id: str
    job: JobRecord | None
    ex_id: str = ""
    name: str = ""
    workers: int = 0
    log_level: str = ""
    document: bytes = b""
    lineage: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """End an execution; the answer comes when it has ended, or at once if `wait_ms` is None."""

    request: int
    ex_id: str
    grace_ms: int
    wait_ms: int | None  # how long the answer may wait


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Dispatch nothing more, for now."""

    request: int
    ex_id: str


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """Go on after a pause."""

    request: int
    ex_id: str


@dataclass(frozen=True, slots=True)
class AddWorkers:
    """So many more."""

    count: int


@dataclass(frozen=True, slots=True)
class RemoveWorkers:
    """So many fewer."""

    count: int


@dataclass(frozen=True, slots=True)
class SetWorkers:
    """So many in all."""

    count: int


WorkersChange: TypeAlias = AddWorkers | RemoveWorkers | SetWorkers


@dataclass(frozen=True, slots=True)
class WorkersRequested:
    """Change the number of workers wanted."""

    request: int
    ex_id: str
    change: WorkersChange


@dataclass(frozen=True, slots=True)
class LogLevelRequested:
    """Log from this level on, in every process of the execution."""

    request: int
    ex_id: str
    level: str


@dataclass(frozen=True, slots=True)
class JobSaveRequested:
    """Replace a stored job, as it was at `replaces_ms`."""

    request: int
    job: JobRecord
    replaces_ms: int


@dataclass(frozen=True, slots=True)
class JobDeleteRequested:
    """Delete a stored job."""

    request: int
    job_id: str


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """Take a node out of service."""

    request: int
    node_id: str


@dataclass(frozen=True, slots=True)
class ReturnRequested:
    """Take a drained node back into service."""

    request: int
    node_id: str


@dataclass(frozen=True, slots=True)
class AssetAddRequested:
    """List an asset, whose files are in place."""

    request: int
    asset: AssetRecord


@dataclass(frozen=True, slots=True)
class AssetDeleteRequested:
    """List an asset no more."""

    request: int
    asset_id: str


# --- controllers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ControllerSpawned:
    """The process exists."""

    ex_id: str
    generation: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class ControllerAttached:
    """A controller proved itself on a new session."""

    ex_id: str
    generation: int
    session: int
    port: int


@dataclass(frozen=True, slots=True)
class ControllerReported:
    """What the execution does."""

    ex_id: str
    session: int
    report: ControllerReport


@dataclass(frozen=True, slots=True)
class ControllerConcluded:
    """How the execution ended; durable in its own store."""

    ex_id: str
    session: int
    outcome: ControllerOutcome


@dataclass(frozen=True, slots=True)
class ControllerDetached:
    """The session is gone; the controller was last heard at `heard_ms` (monotonic)."""

    ex_id: str
    session: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class ControllerExited:
    """The process of that generation is gone (or could not be made); `how` says what ended it."""

    ex_id: str
    generation: int
    how: str


@dataclass(frozen=True, slots=True)
class ControllerUnfit:
    """A controller of this generation speaks another version: it cannot be adopted."""

    ex_id: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class StoreInspected:
    """What an execution without a controller has in its own store."""

    ex_id: str
    generation: int
    outcome: ControllerOutcome | None
    counts: SliceCounts


# --- nodes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeAttached:
    """A worker daemon said hello on a new session."""

    session: int
    node: NodeRecord


@dataclass(frozen=True, slots=True)
class NodeReported:
    """All that runs on the node now."""

    node_id: str
    session: int
    state: NodeState


@dataclass(frozen=True, slots=True)
class NodeDetached:
    """The session is gone."""

    node_id: str
    session: int


# --- time and the daemon itself ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline that `next_deadline_ms` named was reached."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """This process did not run for a while: nobody's silence can be held against them."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The daemon is shutting down; nothing changes its status because of that."""


Event: TypeAlias = (
    Restored
    | Saved
    | SaveRefused
    | StartRequested
    | StopRequested
    | PauseRequested
    | ResumeRequested
    | WorkersRequested
    | LogLevelRequested
    | JobSaveRequested
    | JobDeleteRequested
    | DrainRequested
    | ReturnRequested
    | AssetAddRequested
    | AssetDeleteRequested
    | ControllerSpawned
    | ControllerAttached
    | ControllerReported
    | ControllerConcluded
    | ControllerDetached
    | ControllerExited
    | ControllerUnfit
    | StoreInspected
    | NodeAttached
    | NodeReported
    | NodeDetached
    | TimePassed
    | Stalled
    | Closing
)
