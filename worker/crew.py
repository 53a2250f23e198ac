"""The workers of one pool.

| state    | means                                         | left by                                         |
| -------- | --------------------------------------------- | ----------------------------------------------- |
| Starting | being spawned, or initializing its operations | ready: Ready; cannot start, not wanted: Dying   |
| Ready    | takes slices; busy while it has any           | not wanted: Ending, without grace Dying         |
| Ending   | finishes the slice in hand, till `kill_at_ms` | time is up: Dying                               |
| Dying    | killed by us: its slices are returned, but    | -                                               |
|          | for one that was in hand for too long         |                                                 |

An exit ends a worker in every state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from sliceworks.protocol.ids import WorkerId
from sliceworks.worker.leases import Lease


@dataclass(frozen=True, slots=True)
class Starting:
    """Being spawned, or initializing."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Takes slices."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Was told to finish."""

    kill_at_ms: int


@dataclass(frozen=True, slots=True)
class Dying:
    """Was killed by us; `timed_out` is the seq of the slice for whose sake, 0 if for another reason."""

    timed_out: int = 0


WorkerState: TypeAlias = Starting | Ready | Ending | Dying


@dataclass(slots=True, eq=False)
class Worker:
    """One worker and what it was given and has not answered, in the order in which it runs it."""

    worker_id: WorkerId
    state: WorkerState
    given: dict[Lease, None] = field(default_factory=dict)
    finished: int = 0
    joined: bool = False
    look_at_ms: int = 0  # when the slice in hand may be overdue; 0: none in hand


class Crew:
    """All workers that are not known to be dead, and how many there were."""

    def __init__(self) -> None:
        self.ready: dict[WorkerId, Worker] = {}
        self.joined = 0
        self.disconnected = 0
        self._all: dict[WorkerId, Worker] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._all.values())

    def add(self, worker_id: WorkerId, now: int) -> None:
        """A worker is being started."""
        self._all[worker_id] = Worker(worker_id, Starting(now))

    def get(self, worker_id: WorkerId) -> Worker | None:
        """The worker, unless it is dead."""
        return self._all.get(worker_id)

    def move(self, worker: Worker, state: WorkerState) -> None:
        """Change a worker's state."""
        worker.state = state
        if not isinstance(state, Ready):
            self.ready.pop(worker.worker_id, None)
            return
        self.ready[worker.worker_id] = worker
        worker.joined = True
        self.joined += 1

    def remove(self, worker: Worker) -> None:
        """The worker is dead."""
        del self._all[worker.worker_id]
        self.ready.pop(worker.worker_id, None)
        self.disconnected += worker.joined

    def starting(self) -> list[Worker]:
        """Those that are not ready yet."""
        return [worker for worker in self if isinstance(worker.state, Starting)]

    def living(self) -> list[Worker]:
        """Starting and ready ones; those that would be missed least come first."""
        return [*reversed(self.starting()), *sorted(self.ready.values(), key=_load)]

    def active(self) -> int:
        """How many ready workers have a slice in hand."""
        return sum(bool(worker.given) for worker in self.ready.values())

    def leases(self) -> Iterable[Lease]:
        """Everything given and not answered."""
        return (lease for worker in self for lease in worker.given)


def shown_state(worker: Worker) -> str:
    """The state as the master shows it."""
    match worker.state:
        case Starting():
            return "starting"
        case Ready():
            return "busy" if worker.given else "idle"
        case Ending() | Dying():
            return "ending"
        case _ as never:
            assert_never(never)


def _load(worker: Worker) -> int:
    return len(worker.given)
