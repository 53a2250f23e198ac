"""How many workers of an execution live on this node: what is wanted, and the way there.

| standing | workers wanted            | left by                                |
| -------- | ------------------------- | -------------------------------------- |
| LISTED   | as assigned               | Unassigned, DrainStarted; cut off      |
| CUT_OFF  | none, without grace       | Assigned, Unassigned, DrainStarted     |
| UNLISTED | none, with the last grace | Assigned: LISTED; DrainStarted         |
| DRAINING | none, grace of the drain  | -                                      |

Cut off: master and controller are both silent for too long (`contact.py`); none is wanted then, without
grace.  A share that was cut off waits for the master's word, whoever is back: others may have it by now, or
the execution may be called stopped.
Wishes are whole: one that is repeated changes nothing, and a shorter grace holds for workers that are ending
already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from sliceworks.protocol.ids import WorkerId
from sliceworks.worker.contact import NEVER, Contact
from sliceworks.worker.crew import Crew, Dying, Ending, Ready, Starting, Worker
from sliceworks.worker.events import (
    Assigned,
    DrainStarted,
    Effect,
    FinishWorker,
    KillWorker,
    Peer,
    SpawnWorker,
    Unassigned,
    WorkerExited,
)
from sliceworks.worker.starts import Starts


@dataclass(frozen=True, slots=True)
class Wish:
    """How many workers are wanted, and how long one that is not may take to end."""

    workers: int
    grace_ms: int


_NOTHING: Final = Wish(workers=0, grace_ms=0)


class Standing(Enum):
    """What the master, or this daemon's own end, says of the pool."""

    LISTED = auto()
    CUT_OFF = auto()
    UNLISTED = auto()
    DRAINING = auto()


class Staffing:
    """Owns the crew's size.  `settle` is due after every change here and at `settle_at`."""

    def __init__(
        self, crew: Crew, *, contact: Contact, starts: Starts, new_worker_id: Callable[[], WorkerId]
    ) -> None:
        self.settle_at = 0
        self._crew = crew
        self._contact = contact
        self._starts = starts
        self._new_worker_id = new_worker_id
        self._standing = Standing.LISTED
        self._wish = Wish(workers=0, grace_ms=0)
        self._generation = 0
        self._effects: list[Effect] = []

    @property
    def wanted(self) -> int:
        """How many workers the master wants."""
        return self._wish.workers

    @property
    def forlorn(self) -> bool:
        """Nobody wants this pool any more, and its controller is out of reach, so it will hear of nothing."""
        return self._standing is Standing.UNLISTED and not self._contact.reaches(Peer.CONTROLLER)

    def wish(self, event: Assigned | Unassigned | DrainStarted) -> None:
        """What is wanted changed; after DrainStarted nothing changes it any more."""
        if self._standing is Standing.DRAINING:
            return
        match event:
            case Assigned():
                self._standing = Standing.LISTED
                self._wish = Wish(event.workers, event.grace_ms)
                if event.generation > self._generation:
                    self._generation = event.generation
                    self._starts.reset()
            case Unassigned():
                self._standing = Standing.UNLISTED
                self._wish = Wish(workers=0, grace_ms=self._wish.grace_ms)
            case DrainStarted():
                self._standing = Standing.DRAINING
                self._wish = Wish(workers=0, grace_ms=event.grace_ms)

    def ready(self, worker: Worker, now: int) -> None:
        """A worker can take slices; one that is not wanted any more stays on its way out."""
        if isinstance(worker.state, Starting):
            self._starts.succeeded()
            self._crew.move(worker, Ready(now))

    def delayed(self, reason: str) -> None:
        """A worker waits before its start, or ("") no more."""
        self._starts.delayed(reason)

    def start_failed(self, worker: Worker, error: str, now: int) -> list[Effect]:
        """A worker said that it cannot start."""
        if not isinstance(worker.state, Starting):
            return []
        self._starts.failed(error, started_ms=worker.state.since_ms, now=now)
        self._crew.move(worker, Dying())
        return [KillWorker(worker.worker_id)]

    def exited(self, worker: Worker, event: WorkerExited, now: int) -> None:
        """A worker is dead."""
        match worker.state:
            case Starting(since_ms):
                error = f"{event.cause} before its operations were initialized"
                if event.log_tail:
                    error += f"; its last lines:\n{event.log_tail}"
                self._starts.failed(error, started_ms=since_ms, now=now)
            case Ready(since_ms):
                self._starts.crashed(ready_ms=since_ms, finished=worker.finished, now=now)
        self._crew.remove(worker)

    def settle(self, now: int) -> list[Effect]:
        """Bring the crew nearer to what is wanted."""
        cut_off_at = self._contact.cut_off_at()
        is_cut_off = now >= cut_off_at
        if is_cut_off and self._standing is Standing.LISTED:
            self._standing = Standing.CUT_OFF
        self.settle_at = NEVER if is_cut_off else cut_off_at
        wish = _NOTHING if is_cut_off or self._standing is Standing.CUT_OFF else self._wish
        living = self._crew.living()
        if len(living) > wish.workers:
            self._end(living[: len(living) - wish.workers], wish, now)
        elif len(living) < wish.workers:
            self._spawn(wish.workers - len(living), now)
        self._kill_overdue(wish, now)
        effects, self._effects = self._effects, []
        return effects

    def _end(self, workers: list[Worker], wish: Wish, now: int) -> None:
        for worker in workers:
            if wish.grace_ms and isinstance(worker.state, Ready):
                self._crew.move(worker, Ending(now + wish.grace_ms))
                self._effects.append(FinishWorker(worker.worker_id))
            else:
                self._kill(worker)

    def _spawn(self, missing: int, now: int) -> None:
        allowed = self._starts.allowed(len(self._crew.starting()), now)
        for _ in range(missing if allowed is None else min(missing, allowed)):
            worker_id = self._new_worker_id()
            self._crew.add(worker_id, now)
            self._effects.append(SpawnWorker(worker_id))
        if now < self._starts.not_before_ms and not self._starts.given_up:
            self.settle_at = min(self.settle_at, self._starts.not_before_ms)

    def _kill_overdue(self, wish: Wish, now: int) -> None:
        for worker in self._crew:
            if not isinstance(worker.state, Ending):
                continue
            kill_at = min(worker.state.kill_at_ms, now + wish.grace_ms)
            if kill_at <= now:
                self._kill(worker)
            else:
                worker.state = Ending(kill_at)
                self.settle_at = min(self.settle_at, kill_at)

    def _kill(self, worker: Worker) -> None:
        self._crew.move(worker, Dying())
        self._effects.append(KillWorker(worker.worker_id))
