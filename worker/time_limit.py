"""The hard time limit of a slice: whose worker has had one in hand for too long.

The daemon does not know when a slice of several is begun; the marker page does.  So a worker that has
slices is looked at when the one in hand could be overdue at the earliest, and again when that one really is.
Counted is the monotonic clock of the host: a clock that is set makes nobody late.
"""

from __future__ import annotations

from sliceworks.protocol.durations import duration_text
from sliceworks.worker.contact import NEVER
from sliceworks.worker.crew import Crew, Ending, Ready, Worker
from sliceworks.worker.events import Effect, LookAtWorker, WorkerSeen


class SliceLimit:
    """Watches the workers of one pool; `timeout_ms` 0: does nothing."""

    def __init__(self, timeout_ms: int, crew: Crew) -> None:
        self.timeout_ms = timeout_ms
        self.due_at = NEVER
        """When `watch` is due."""
        self._crew = crew

    @property
    def text(self) -> str:
        """The limit, as it is written in a job."""
        return duration_text(self.timeout_ms)

    def watch(self, now: int) -> list[Effect]:
        """Look at those whose slice may be overdue; at the end of each turn."""
        if not self.timeout_ms:
            return []
        self.due_at = NEVER
        effects: list[Effect] = []
        for worker in self._crew:
            if self._is_due(worker, now):
                effects.append(LookAtWorker(worker.worker_id))
            if worker.look_at_ms:
                self.due_at = min(self.due_at, worker.look_at_ms)
        return effects

    def is_overdue(self, worker: Worker, seen: WorkerSeen, now: int) -> bool:
        """Whether what was seen is a slice that must end now; if not, when to look again is noted."""
        if not isinstance(worker.state, Ready | Ending) or not any(
            seq == seen.seq for seq, _ in worker.given
        ):
            return False
        worker.look_at_ms = max(now + 1, seen.begun_ms + self.timeout_ms)
        return now >= seen.begun_ms + self.timeout_ms

    def _is_due(self, worker: Worker, now: int) -> bool:
        if not worker.given or not isinstance(worker.state, Ready | Ending):
            worker.look_at_ms = 0
            return False
        due = 0 < worker.look_at_ms <= now
        if due or not worker.look_at_ms:
            worker.look_at_ms = now + self.timeout_ms
        return due
