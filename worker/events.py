"""What can happen to an execution's pool on this node, and what it can want done.

Events are facts that the shell saw; effects are orders to it.  Both are batched where slices are many: one
event for all results of a frame, one effect for all slices that a worker is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, LinkState, RunSlices, SliceResults


class Peer(StrEnum):
    """Whom a pool must be able to reach: one of the two is enough to go on."""

    MASTER = "master"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The master wants this many workers here; `grace_ms` is how long one that is to end may take."""

    workers: int
    grace_ms: int
    generation: int


@dataclass(frozen=True, slots=True)
class Unassigned:
    """The execution is no longer among what the master wants here."""


@dataclass(frozen=True, slots=True)
class DrainStarted:
    """The daemon is shutting down: nothing new is begun."""

    grace_ms: int


@dataclass(frozen=True, slots=True)
class PeerFound:
    """Master or controller is connected; for the controller: it welcomed this daemon."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class PeerLost:
    """Master or controller is out of reach."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class SlicesGranted:
    """The controller leased slices to this node."""

    slices: RunSlices


@dataclass(frozen=True, slots=True)
class ResultsAcked:
    """Result batches up to and including `batch` are durable."""

    batch: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """The controller wants back up to `count` slices that no worker has."""

    count: int


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker's operations are initialized."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class WorkerDelayed:
    """The worker is not begun yet, for this reason; "": it is, now."""

    worker_id: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerStartFailed:
    """The worker said why it cannot start; its exit follows."""

    worker_id: WorkerId
    error: str


@dataclass(frozen=True, slots=True)
class WorkerResults:
    """The worker told how slices ended."""

    worker_id: WorkerId
    results: HostResults


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """The worker is dead and all that it wrote is read; `seq` to `run_us`: the slice it had in hand."""

    worker_id: WorkerId
    cause: str  # a sentence without its full stop: which worker, and how it ended
    exit_code: int | None = None
    signal: int | None = None
    seq: int = 0  # 0: none in hand
    op: str = ""
    started_ms: int = 0
    run_us: int = 0
    log_tail: str = ""  # its last lines on stderr


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """What the worker has in hand, and since when on the monotonic clock; `seq` 0: nothing."""

    worker_id: WorkerId
    seq: int
    begun_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of the last WakeAt has come."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """No further event is waiting: now give out what is queued, and report."""


Event: TypeAlias = (
    Assigned
    | Unassigned
    | DrainStarted
    | PeerFound
    | PeerLost
    | SlicesGranted
    | ResultsAcked
    | Recalled
    | WorkerReady
    | WorkerDelayed
    | WorkerStartFailed
    | WorkerResults
    | WorkerExited
    | WorkerSeen
    | Tick
    | TurnEnded
)


@dataclass(frozen=True, slots=True)
class SpawnWorker:
    """Start a worker process."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class GiveSlices:
    """Hand these slices to the worker, which runs them in this order."""

    worker_id: WorkerId
    slices: RunSlices


@dataclass(frozen=True, slots=True)
class FinishWorker:
    """Let the worker finish the slice in hand and end."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class KillWorker:
    """Kill the worker at once."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class LookAtWorker:
    """Say what the worker has in hand, as WorkerSeen; nothing if it is dead."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True)
class SendResults:
    """Send a batch of results to the controller."""

    results: SliceResults


@dataclass(frozen=True, slots=True)
class SendLinkState:
    """Tell the controller how the workers stand."""

    state: LinkState


@dataclass(frozen=True, slots=True)
class NodeChanged:
    """What the master is told of this pool has changed."""


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a Tick at this monotonic time; replaces the one before."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class PoolEnded:
    """No worker is left and nothing more can be told to the controller: the pool is over."""


Effect: TypeAlias = (
    SpawnWorker
    | GiveSlices
    | FinishWorker
    | KillWorker
    | LookAtWorker
    | SendResults
    | SendLinkState
    | NodeChanged
    | WakeAt
    | PoolEnded
)
