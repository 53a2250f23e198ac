"""What can happen to an execution, and what it can want done.

Messages that mean an event as they are (SlicesMade, SlicingFinished, SlicerFailed, SlicerReady, Wishes) are
used as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from sliceworks.master.store.batch import Batch, SliceRow, SlicerRow
from sliceworks.master.store.lineage import InheritedSlice
from sliceworks.protocol.messages import (
    ControllerToDaemon,
    ControllerToSlicer,
    LinkHello,
    LinkState,
    SliceResults,
    SlicerFailed,
    SlicerReady,
    SlicesMade,
    SlicingFinished,
    Wishes,
)


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A daemon proved itself; `connection` is new for every websocket."""

    connection: int
    hello: LinkHello


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The websocket is gone; its daemon may come back."""

    connection: int


@dataclass(frozen=True, slots=True)
class LinkReported:
    """A daemon told how its workers stand."""

    connection: int
    state: LinkState


@dataclass(frozen=True, slots=True)
class ResultsArrived:
    """A daemon told how leases ended."""

    connection: int
    results: SliceResults


@dataclass(frozen=True, slots=True)
class SlicerDied:
    """The slicer child ended without being asked to."""

    description: str


@dataclass(frozen=True, slots=True)
class PendingLoaded:
    """A page of slices that an earlier generation left `pending`; fewer than asked for: there are no more."""

    rows: list[SliceRow]
    complete: bool


@dataclass(frozen=True, slots=True)
class LineageLoaded:
    """A page of slices to be taken up; with the last one, where the slicers stand."""

    slices: list[InheritedSlice]
    complete: bool
    slicers: list[SlicerRow]


@dataclass(frozen=True, slots=True)
class LineageFailed:
    """The lineage cannot be read, and waiting does not help."""

    error: str


@dataclass(frozen=True, slots=True)
class Written:
    """The batch is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class StoreTroubled:
    """The store cannot be written now (the text says why), or can again ("")."""

    reason: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """`next_due_ms` was reached."""


Event: TypeAlias = (
    LinkOpened
    | LinkClosed
    | LinkReported
    | ResultsArrived
    | SlicerReady
    | SlicesMade
    | SlicingFinished
    | SlicerFailed
    | SlicerDied
    | PendingLoaded
    | LineageLoaded
    | LineageFailed
    | Wishes
    | Written
    | StoreTroubled
    | TimePassed
)


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message on a connection; nothing happens if it is closed by now."""

    connection: int
    message: ControllerToDaemon


@dataclass(frozen=True, slots=True)
class Write:
    """Commit the batch, then say Written."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class LoadPending:
    """Read a page of pending slices, then say PendingLoaded."""

    after_seq: int
    limit: int


@dataclass(frozen=True, slots=True)
class LoadLineage:
    """Read the next page of the lineage, then say LineageLoaded or LineageFailed."""

    after: str  # the id of the last slice that was taken up


@dataclass(frozen=True, slots=True)
class StartSlicer:
    """Start the slicer child; `recovery` as `Slicer.initialize` gets it."""

    recovery: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ToSlicer:
    """Tell the slicer child."""

    message: ControllerToSlicer


@dataclass(frozen=True, slots=True)
class ReportNow:
    """The phase or the reason changed: report to the master without delay."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The outcome is durable: report it until it is applied, then end."""

    status: str
    failure: str


Effect: TypeAlias = Send | Write | LoadPending | LoadLineage | StartSlicer | ToSlicer | ReportNow | Finish
