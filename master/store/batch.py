"""What one transaction of an execution's store writes.

Rows are plain tuples in the order of the statement they feed, because there is one or more for each slice.  A
group is written in a fixed order: inserts, ends of attempts, leases.  A slice that is touched against that
order within one batch (leased, then handed back before the lease was written) opens a new group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class Group:
    """Rows of one pass over the statements."""

    inserts: list[Row] = field(default_factory=list)
    copies: list[Row] = field(default_factory=list)  # as inserts, with the id that the slice keeps
    completions: list[Row] = field(default_factory=list)
    ends: list[Row] = field(default_factory=list)
    first_attempts: list[Row] = field(default_factory=list)
    later_attempts: list[Row] = field(default_factory=list)
    first_leases: list[Row] = field(default_factory=list)
    later_leases: list[Row] = field(default_factory=list)
    new_attempts: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Head:
    """The one row that every transaction writes: counters as of its batch, and how the execution ended."""

    pending: int = 0
    start: int = 0
    completed: int = 0
    error: int = 0
    floor_seq: int = 1
    stale: int = 0
    workers_joined: int = 0
    workers_reconnected: int = 0
    workers_disconnected: int = 0
    started_ms: int | None = None
    queuing_complete_ms: int | None = None
    failure: str = ""
    outcome: str | None = None
    outcome_failure: str | None = None
    ended_ms: int | None = None
    taken_up: int = 0  # kinds of slices that were copied from the lineage, completely (`recovery.Kinds`)
    copied: int = 0  # slices that were: those with the lowest seqs


@dataclass(slots=True)
class Batch:
    """One transaction; `number` counts from 1 without gaps, so that a repeated one is recognized."""

    number: int
    head: dict[str, Any]
    groups: list[Group]
    slicers: list[Row]
    nodes: list[Row]
    operations: list[Row]


@dataclass(slots=True)
class SliceRow:
    """A slice as it is read back."""

    seq: int
    slice_id: str | None
    slicer_id: int
    slicer_order: int
    request: bytes
    epoch: int
    op_errors: int
    losses: int
    node: int | None = None


@dataclass(slots=True)
class SlicerRow:
    """Where a slicer stands."""

    slicer_id: int
    last_order: int
    last_request: bytes | None
    checkpoint: bytes | None
    finished: bool


@dataclass(slots=True)
class NodeRow:
    """One incarnation of a daemon that held leases."""

    node: int
    node_id: str
    incarnation: str
    hostname: str


@dataclass(slots=True)
class Snapshot:
    """What a controller takes up from its predecessor; of the slices only those in `start`."""

    batch: int
    head: Head
    last_seq: int
    slicers: list[SlicerRow]
    nodes: list[NodeRow]
    leases: list[SliceRow]
    operations: list[Row]
    last_copy: str = ""  # the id of the last slice that was copied
