"""What the cluster machine keeps in memory: executions that live or leave something behind, and nodes.

The state of a controller is a sum type: each state carries exactly what is valid in it.  What must survive
the master is in `Execution.row`, a value that is replaced, never changed; `Execution.durable` is the newest
one that the store has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

import orjson

from sliceworks.master.store.records import ExecutionRow, NodeRecord
from sliceworks.protocol.messages import Assignment, ControllerReport, NodeState, Wishes
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import TERMINAL_STATUSES


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take; milliseconds."""

    hello_ms: int = 30_000  # from the birth of a controller to its hello
    silence_ms: int = 10_000  # a controller that says nothing for so long is replaced
    end_ms: int = 10_000  # from an applied outcome to the end of the process
    overdue_ms: int = 10_000  # from the end of a stop's grace to an outcome
    disconnect_ms: int = 300_000  # a silent node's share is placed elsewhere
    margin_ms: int = 15_000  # a silent node has noticed its silence by then
    shutdown_ms: int = 60_000  # grace of workers that are removed
    totals_ms: int = 60_000  # how often running executions are added to the cluster's totals
    crashes: int = 5
    crash_window_ms: int = 600_000
    start_failures: int = 3
    hostname: str = "127.0.0.1"  # how nodes reach controllers


# --- controllers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotStarted:
    """There is none, and none was ever needed."""


@dataclass(frozen=True, slots=True)
class Raising:
    """The next generation is being made durable."""


@dataclass(frozen=True, slots=True)
class Spawning:
    """The process was ordered."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The process runs, but is not connected: it was just born, or was lost, or is to be adopted."""

    identity: Identity
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Attached:
    """Connected; `sent` is the newest wish it was told."""

    identity: Identity
    session: int
    sent: Wishes | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """It was told that its outcome is applied, and is about to end."""

    identity: Identity
    deadline_ms: int


class EndCause(Enum):
    """Why a controller was ended."""

    FAULT = auto()  # silent, overdue: counts as a crash
    UNFIT = auto()  # of another version
    FINISHED = auto()  # the execution is over; it did not leave


@dataclass(frozen=True, slots=True)
class Ending:
    """It was killed; a successor starts only when it is gone."""

    identity: Identity
    cause: EndCause
    how: str


@dataclass(frozen=True, slots=True)
class Inspecting:
    """The process is gone; what it left is being read.  `how` is empty if its end was no crash."""

    how: str


@dataclass(frozen=True, slots=True)
class Resting:
    """It crashed; the next one starts then."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Gone:
    """There is none, and there will be none."""

    since_ms: int


Controller: TypeAlias = (
    NotStarted | Raising | Spawning | Missing | Attached | Leaving | Ending | Inspecting | Resting | Gone
)


# --- executions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who waits for the end of an execution."""

    request: int
    deadline_ms: int


@dataclass(slots=True, eq=False)
class Execution:
    """One execution that lives, or has processes left."""

    row: ExecutionRow
    document: bytes
    durable: ExecutionRow | None = None
    saved_in: int = 0  # the newest Save that has it
    controller: Controller = field(default_factory=NotStarted)
    contact: tuple[int, bytes, int] | None = None  # generation, secret and port that nodes are told
    report: ControllerReport | None = None
    stop_at_ms: int | None = None  # the end of a stop's grace
    waiters: list[Waiter] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)  # without progress in between
    slices_seen: int = -1  # slices made and ended when its store was last inspected
    resumed_from: str = ""  # the phase when it was resumed: it shows as running until the next one
    barred: dict[str, str] = field(default_factory=dict)  # node_id -> why workers do not start there
    unreached: dict[str, int] = field(default_factory=dict)  # node_id -> since when its link is down
    shunned: set[str] = field(default_factory=set)  # of these: where it was down for too long
    totals_due_ms: int | None = None
    forced: bool = False  # a controller was ended for a stop by force; its successor is not
    assets: tuple[str, ...] = field(init=False)  # the ids of those it runs with

    def __post_init__(self) -> None:
        self.assets = _assets_of(self.document)

    @property
    def is_terminal(self) -> bool:
        """Whether its status can change no more."""
        return self.row.status in TERMINAL_STATUSES

    @property
    def wants_workers(self) -> bool:
        """Whether new workers may be given to it."""
        fate = self.row.fate
        return not (self.is_terminal or self.row.wishes.stopping or fate.outcome or fate.verdict)


def _assets_of(document: bytes) -> tuple[str, ...]:
    return tuple(orjson.loads(document).get("assets") or ()) if b'"assets"' in document else ()


# --- nodes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """Its websocket is open."""

    session: int


@dataclass(frozen=True, slots=True)
class Lost:
    """It is silent; its workers may well run."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """It was silent for too long: its share is placed elsewhere."""

    since_ms: int


NodeLink: TypeAlias = Connected | Lost | Released


@dataclass(slots=True, eq=False)
class Node:
    """One worker daemon."""

    record: NodeRecord
    link: NodeLink
    state: NodeState | None = None  # None: it has not said yet
    revision: int = 0  # of the newest Assignments sent on this link
    sent: tuple[Assignment, ...] | None = None
    empty_since: dict[str, int] = field(default_factory=dict)  # ex_id -> first revision that gave it nothing
    links_down: set[str] = field(default_factory=set)  # ex_ids whose controller it does not reach
    guests: set[str] = field(default_factory=set)  # ex_ids that have, or may have, workers here

    @property
    def is_draining(self) -> bool:
        """Whether it gets no work: it was taken out of service, or the daemon is shutting down."""
        return self.record.drained or (self.state is not None and self.state.draining)

    def workers_of(self, ex_id: str) -> int:
        """Processes of the execution that the node says it has."""
        return sum(worker.ex_id == ex_id for worker in self.state.workers) if self.state else 0
