"""A worker process and its slot in the daemon, played as `worker/host.py` and `worker/slot.py`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, ResultDetail, RunSlices
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.events import (
    Event,
    WorkerExited,
    WorkerReady,
    WorkerResults,
    WorkerSeen,
    WorkerStartFailed,
)
from tests.simulation.engine import Process
from tests.simulation.faults import Step

if TYPE_CHECKING:
    from tests.simulation.pool import Pool
    from tests.simulation.scenario import Job

TELL_MS = 2
POISONED_SEQ = 3
HEEDS_SOFT_TIMEOUT = 0.8
"""Of the operations, so many end when they are told that the slice takes too long."""


class Slot:
    """The daemon's half: waits for a place, starts the process, tells its end."""

    def __init__(self, pool: Pool, worker_id: WorkerId) -> None:
        self.placed = False
        self.worker: Worker | None = None
        self.worker_id = worker_id
        self.pool = pool
        self._over = False

    def start(self) -> None:
        """There is a place for it."""
        self.placed = True
        self.pool.daemon.post(0, self.pool.push)
        self.pool.daemon.post(self.pool.daemon.engine.draw(1, 15), self._fork)

    def give(self, slices: RunSlices) -> None:
        """Hand over slices; nothing happens if the worker is dead."""
        if self.worker:
            self.worker.post(0, self.worker.take, slices)

    def finish(self) -> None:
        """Let it end after the slice in hand."""
        if self.worker:
            self.worker.post(0, self.worker.finish)

    def kill(self) -> None:
        """End it now."""
        if self.worker:
            self.worker.die("was killed by signal 9 (SIGKILL)")
        elif not self._over:
            self._over = True
            self.pool.daemon.places.leave(self)
            self.pool.tell(WorkerExited(self.worker_id, f"worker {self.worker_id} was not started"))

    def look(self) -> WorkerSeen:
        """What it has in hand now."""
        if self.worker is None:
            return WorkerSeen(self.worker_id, 0, 0)
        return WorkerSeen(self.worker_id, self.worker.marked, self.worker.begun_ms)

    def hear(self, event: Event) -> None:
        """A frame of the process: read before its end is told, because it was written before."""
        self.pool.daemon.post(0, self.pool.tell, event)

    def _fork(self) -> None:
        if self._over:
            return
        if self.pool.daemon.engine.chance(0.003):
            self._over = True
            self.pool.tell(WorkerStartFailed(self.worker_id, "no worker can be started: no memory"))
            self.pool.tell(WorkerExited(self.worker_id, "was not started"))
            self.pool.daemon.places.leave(self)
            return
        self.worker = Worker(self)
        self.worker.on_death(lambda how: self.pool.daemon.post(1, self._bury, how))
        self.pool.push()

    def _bury(self, how: str) -> None:
        worker = self.worker
        assert worker is not None
        self.worker = None
        self._over = True
        self.pool.daemon.places.leave(self)
        clean = how == "exit code 0"
        self.pool.tell(
            WorkerExited(
                self.worker_id,
                f"worker {self.worker_id} {how}",
                exit_code=0 if clean else None,
                signal=None if clean else 9,
                seq=worker.marked,
                op="noop" if worker.marked else "",
                started_ms=worker.marked_ms,
            )
        )


class Worker(Process):
    """The child: runs what it is given, one slice after the other; dies with its daemon."""

    kind = "worker"

    def __init__(self, slot: Slot) -> None:
        daemon = slot.pool.daemon
        super().__init__(daemon.engine, daemon.host)
        self.world = daemon.world
        self.daemon = daemon
        self.ex_id = slot.pool.ex_id
        self.marked = 0
        self.marked_ms = 0
        self.begun_ms = 0
        self._slot = slot
        self._job: Job = self.world.job_of(self.ex_id)
        self._todo: deque[tuple[int, int]] = deque()
        self._running = False
        self._finishing = False
        self._told_ms = 0
        self._results: list[tuple[int, int, ResultKind, int]] = []
        self.world.workers[self.pid] = self
        daemon.on_death(self.die)
        self.on_death(self._forgotten)
        self.post(self.engine.draw(5, 80), self._initialized)

    def take(self, slices: RunSlices) -> None:
        """Slices to run, in this order."""
        self._todo += zip(slices.seqs, slices.epochs, strict=True)
        self._next()

    def finish(self) -> None:
        """End after the slice in hand."""
        self._finishing = True
        if not self._running:
            self._end()

    def _initialized(self) -> None:
        if self.engine.chance(self._job.start_failure_rate):
            self._slot.hear(WorkerStartFailed(self._slot.worker_id, "ImportError: no such module"))
            self.die("ended with exit code 1")
            return
        self._slot.hear(WorkerReady(self._slot.worker_id))

    def _next(self) -> None:
        if self._running or not self._todo or self._finishing:
            return
        if not self._results:
            self._told_ms = self.engine.now
        seq, epoch = self._todo.popleft()
        self._running = True
        self.marked, self.marked_ms, self.begun_ms = seq, self.host.wall_ms(), self.engine.now
        self.world.oracle.began(self.ex_id, seq, epoch)
        self.world.pass_step(Step.RUN, self)
        run_ms = self.engine.draw(0, 2 * self._job.run_ms)
        if self.world.mischief.take("slow slices"):
            run_ms = self.engine.draw(2_000, 12_000)
        if (self._job.poison and seq == POISONED_SEQ) or self.engine.chance(self._job.crash_rate):
            self.post(run_ms, self.die, "was killed by signal 11 (SIGSEGV)")
        else:
            self._run(seq, epoch, run_ms)

    def _run(self, seq: int, epoch: int, run_ms: int) -> None:
        soft_ms = self._job.soft_timeout_ms
        if soft_ms and run_ms > soft_ms and self.engine.chance(HEEDS_SOFT_TIMEOUT):
            self.post(soft_ms, self._ran, seq, epoch, ResultKind.TIMED_OUT)
        else:
            self.post(run_ms, self._ran, seq, epoch, None)

    def _ran(self, seq: int, epoch: int, kind: ResultKind | None) -> None:
        self._running = False
        self.world.pass_step(Step.RUN, self)
        kind = self._outcome() if kind is None else kind
        self.world.oracle.ran(self.ex_id, seq, epoch, kind)
        self._results.append((seq, epoch, kind, (self.engine.now - self.begun_ms) * 1_000))
        if self.engine.now - self._told_ms > TELL_MS or not self._todo:
            self._tell()
        if self._finishing:
            self._end()
        else:
            self._next()

    def _outcome(self) -> ResultKind:
        if self.world.mischief.take("failing slices") or self.engine.chance(self._job.error_rate):
            return ResultKind.ERROR
        if self.engine.chance(self._job.fatal_rate):
            return ResultKind.FATAL
        return ResultKind.COMPLETED

    def _tell(self) -> None:
        if not self._results:
            return
        results, self._results = self._results, []
        frame = HostResults(
            seqs=[item[0] for item in results],
            epochs=[item[1] for item in results],
            kinds=bytes(item[2] for item in results),
            started_ms=[self.host.wall_ms()] * len(results),
            run_us=[0 if item[2] is ResultKind.RETURNED else item[3] for item in results],
            details={n: ResultDetail("it broke", "noop") for n, item in enumerate(results) if item[2]},
            operations=[],
        )
        self._slot.hear(WorkerResults(self._slot.worker_id, frame))
        self.marked = self.marked_ms = 0
        self._told_ms = self.engine.now

    def _end(self) -> None:
        self.world.pass_step(Step.LEAVE, self)
        self._results += [(seq, epoch, ResultKind.RETURNED, 0) for seq, epoch in self._todo]
        self._todo.clear()
        self._tell()
        self.post(self.engine.draw(1, 20), self.die, "exit code 0")

    def _forgotten(self, how: str) -> None:
        del self.world.workers[self.pid]
        if self.marked:
            self.world.oracle.lost(self.ex_id, self.marked)
