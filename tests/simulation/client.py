"""A client of the cluster: submits, steers, and remembers what it was promised.

One request of an execution at a time; a master that dies before it answers leaves the client not knowing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.execution.recovery import Inheritance
from sliceworks.master.store.lineage import Kinds
from sliceworks.protocol.errors import UnavailableError
from sliceworks.protocol.states import TERMINAL_STATUSES
from tests.simulation.scenario import Job

if TYPE_CHECKING:
    from tests.simulation.world import World

RETRY_MS = 1_500
SETTLE_MS = 4_000
WAYS = (
    Inheritance(Kinds.ALL),
    Inheritance(Kinds.ALL, ends_after=True),
    Inheritance(Kinds.ERRORS, ends_after=True),
    Inheritance(Kinds.UNFINISHED, ends_after=True),
    Inheritance(Kinds.UNFINISHED),  # autorecover
)


class Client:
    """Nothing ever goes wrong with it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[str, Job] = {}  # ex_id -> job
        self._asking: dict[str, int] = {}  # ex_id -> pid of the master that was asked
        self._inheritances: dict[str, Inheritance] = {}
        self.wanted: set[str] = set()  # ex_ids that were asked for

    def job_of(self, ex_id: str) -> Job:
        """The job of an execution."""
        return self._jobs[ex_id]

    def submit(self, job: Job, *, insist: bool) -> None:
        """Run a job; `insist`: until there is an execution."""
        ex_id = f"{job.job_id}/{len(self._jobs)}"
        master = self._world.master
        if master is None or not master.alive or not self._world.serving:
            if insist:
                self._later(lambda: self.submit(job, insist=True))
            return
        self._jobs[ex_id] = job

        def told(answer: ef.Answer | ef.Reject) -> None:
            if isinstance(answer, ef.Answer):
                self.wanted.add(ex_id)

        start = lambda request: ev.StartRequested(  # noqa: E731 - as short as the others
            request, job.job_id, None, ex_id=ex_id, name="n", workers=job.workers, document=job.document
        )
        master.post(1, master.ask, start, told)
        if insist:
            self._later(lambda: self._make_sure(job))

    def inheritance_of(self, ex_id: str) -> Inheritance:
        """What it takes over from those that it recovers."""
        return self._inheritances[ex_id]

    def recoverable(self) -> list[str]:
        """Ended executions of jobs that do not run now."""
        rows = self._world.disk.rows
        running = {item.row.job_id for item in rows.values() if item.row.status not in TERMINAL_STATUSES}
        return [
            ex_id
            for ex_id, item in rows.items()
            if item.row.job_id not in running and self._jobs[ex_id].recoverable
        ]

    def recover(self, ex_id: str) -> bool:
        """Take up what an execution and those that it recovered have left; False if nobody can be asked."""
        master = self._world.master
        if master is None or not master.alive or not self._world.serving:
            return False
        job, row = self._jobs[ex_id], self._world.disk.rows[ex_id].row
        new_id = f"{job.job_id}/{len(self._jobs)}"
        self._jobs[new_id] = job
        self._inheritances[new_id] = WAYS[self._world.engine.draw(0, len(WAYS) - 1)]
        event = ev.StartRequested(
            0,
            job.job_id,
            None,
            ex_id=new_id,
            name="n",
            workers=job.workers,
            document=job.document,
            lineage=row.lineage or ex_id,
        )
        master.post(1, master.ask, lambda request: replace(event, request=request), lambda answer: None)
        return True

    def living(self) -> list[str]:
        """Executions that have not ended, as the disk says."""
        rows = self._world.disk.rows
        return [ex_id for ex_id, item in rows.items() if item.row.status not in TERMINAL_STATUSES]

    def pause(self, ex_id: str) -> bool:
        """Pause it; False if the client is busy with it, or nobody is there to ask."""
        return self._ask(ex_id, "paused", True, lambda request: ev.PauseRequested(request, ex_id))

    def resume(self, ex_id: str) -> bool:
        """Go on."""
        return self._ask(ex_id, "paused", False, lambda request: ev.ResumeRequested(request, ex_id))

    def stop(self, ex_id: str, grace_ms: int, wait_ms: int | None) -> bool:
        """End it."""
        stop = lambda request: ev.StopRequested(request, ex_id, grace_ms, wait_ms)  # noqa: E731
        return self._ask(ex_id, "stopping", True, stop)

    def workers(self, ex_id: str, change: ev.WorkersChange) -> bool:
        """Change how many workers it has."""
        known = self._world.oracle.promised(ex_id, "workers")
        match change, known:
            case ev.SetWorkers(count), _:
                after: int | None = count
            case ev.AddWorkers(count), int():
                after = known + count
            case ev.RemoveWorkers(count), int():
                after = known - count
            case _:
                after = None
        return self._ask(ex_id, "workers", after, lambda request: ev.WorkersRequested(request, ex_id, change))

    def drain(self, node_id: str) -> bool:
        """Take a node out of service; False if nobody can be asked."""
        return self._ask_master(lambda request: ev.DrainRequested(request, node_id))

    def take_back(self, node_id: str) -> bool:
        """Give it work again."""
        return self._ask_master(lambda request: ev.ReturnRequested(request, node_id))

    def settle(self) -> None:
        """From now on: whatever can wait for a client does not."""
        for node_id in self._world.node_ids:
            self.take_back(node_id)
        for ex_id in self.living():
            row = self._world.disk.rows[ex_id].row
            if self._jobs[ex_id].persistent:
                self.stop(ex_id, 2_000, None)
            elif row.wishes.paused:
                self.resume(ex_id)
        self._world.engine.at(self._world.engine.now + SETTLE_MS, None, self.settle)

    def _ask(self, ex_id: str, wish: str, value: object, event: Callable[[int], ev.Event]) -> bool:
        world, master = self._world, self._world.master
        if master is None or not master.alive or not world.serving or ex_id not in world.disk.rows:
            return False
        if self._asking.get(ex_id) == master.pid:
            return False
        before = world.oracle.promised(ex_id, wish)
        world.oracle.promise(ex_id, wish, None)
        self._asking[ex_id] = master.pid

        def told(answer: ef.Answer | ef.Reject) -> None:
            self._asking.pop(ex_id, None)
            if world.disk.rows[ex_id].row.status in TERMINAL_STATUSES:
                return
            if isinstance(answer, ef.Reject) and isinstance(answer.error, UnavailableError):
                return  # it may be done, and it may not
            world.oracle.promise(ex_id, wish, value if isinstance(answer, ef.Answer) else before)

        master.post(1, master.ask, event, told)
        return True

    def _ask_master(self, event: Callable[[int], ev.Event]) -> bool:
        """Ask for something whose answer nobody waits for."""
        master = self._world.master
        if master is None or not master.alive or not self._world.serving:
            return False
        master.post(1, master.ask, event, lambda answer: None)
        return True

    def _make_sure(self, job: Job) -> None:
        if not any(item.row.job_id == job.job_id for item in self._world.disk.rows.values()):
            self.submit(job, insist=True)

    def _later(self, action: Callable[[], None]) -> None:
        self._world.engine.at(self._world.engine.now + RETRY_MS, None, action)
