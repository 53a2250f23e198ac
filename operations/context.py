"""Where an operation runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sliceworks.operations.bundle_outline import AssetPlace
from sliceworks.operations.slice_time import SliceTime


@dataclass(frozen=True, slots=True)
class OperationContext:
    """What a fetcher or processor may know about its worker: `self.context`."""

    worker_id: int
    """Number of the worker on its node; a successor of a dead worker has another one."""
    node_id: str
    """Made once for each node; survives restarts of the daemon and the machine."""
    hostname: str
    """For people: two nodes may share it."""
    durable: bool
    """Whether output must be on disk before a slice counts as done (`state.durability` is `full`)."""
    scratch: Path | None
    """A folder for temporary files of this worker; None if there is none."""
    slice_time: SliceTime = field(default_factory=SliceTime)
    """How much time the slice in hand has left, if the job sets `slice_soft_timeout`."""
    assets: tuple[AssetPlace, ...] = ()
    """The job's assets, and where each of them is unpacked on this host; read only."""
