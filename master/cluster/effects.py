"""What the cluster machine wants done.

`Save` comes first; whatever depends on it comes out of its `Saved`.  Nothing else waits: effects are carried
out in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sliceworks.master.store.records import Change
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.messages import Assignments, OutcomeApplied, SaveAndEnd, Wishes
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus


@dataclass(frozen=True, slots=True)
class Save:
    """Make all of it durable, then say Saved, or SaveRefused."""

    number: int
    changes: tuple[Change, ...]


# --- answers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked is durable."""


@dataclass(frozen=True, slots=True)
class StatusIs:
    """The status now, durable."""

    status: ExecutionStatus


Reply: TypeAlias = Done | StatusIs


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the asker."""

    request: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Reject:
    """Tell the asker that it cannot be, and why."""

    request: int
    error: SliceworksError


# --- controllers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpawnController:
    """Fork the controller, which waits; ControllerSpawned follows, and at its end ControllerExited."""

    ex_id: str
    job_id: str
    generation: int
    secret: bytes
    wishes: Wishes
    document: bytes
    recovers: bool = False  # the other executions of its lineage


@dataclass(frozen=True, slots=True)
class ReleaseController:
    """Its process is on record: let it begin.  One that is never released ends with its master."""

    ex_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class WatchController:
    """Say ControllerExited when this process, which an earlier master started, has ended."""

    ex_id: str
    generation: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class EndController:
    """Kill it; ControllerExited follows, as for any end."""

    ex_id: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class InspectStore:
    """Read what the execution has in its own store, then say StoreInspected."""

    ex_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class SendController:
    """Send on that session; nothing happens if it is gone."""

    session: int
    message: Wishes | OutcomeApplied | SaveAndEnd


# --- nodes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendNode:
    """Send on that session; a newer message replaces one that is not sent yet."""

    session: int
    message: Assignments


@dataclass(frozen=True, slots=True)
class DropSession:
    """Close that session, of a controller or a node, with the reason."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class RemoveAsset:
    """Nothing needs its files any more."""

    asset_id: str


@dataclass(frozen=True, slots=True)
class Alone:
    """After Closing: no controller process is left."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something an operator wants in the log."""

    event: str
    fields: dict[str, object]


ProcessEffect: TypeAlias = (
    SpawnController | ReleaseController | WatchController | EndController | InspectStore
)
Effect: TypeAlias = (
    Save
    | Answer
    | Reject
    | ProcessEffect
    | SendController
    | SendNode
    | DropSession
    | RemoveAsset
    | Alone
    | Note
)
