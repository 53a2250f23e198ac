"""A controller's writer, played as `master/execution/writer.py`: one job at a time, again until it is done.

A commit takes time.  Before it nothing is on the disk, after it everything is, whether its controller lives
to hear of it or not; and now and then the store fails, with the batch written or not.  Where the store is a
server, a batch can be on its way to it when its controller dies, and be written late: when another generation
writes already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from sliceworks.master.execution import events as ev
from sliceworks.master.store.batch import Batch
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.errors import FencedError
from sliceworks.protocol.states import SliceState
from tests.simulation.disk import Store
from tests.simulation.faults import Step
from tests.simulation.trouble import StoreTrouble, Where

if TYPE_CHECKING:
    from tests.simulation.controller_process import Controller

Job: TypeAlias = ev.Write | ev.LoadPending

LATEST_MS: Final = 4_000


class Writer:
    """Carries out Write and LoadPending in order, and tells when they are done."""

    def __init__(self, owner: Controller, store: Store) -> None:
        self._owner = owner
        self._store = store
        self._jobs: deque[Job] = deque()
        self._backoff = Backoff(owner.engine.random.random)
        self._trouble = False
        self._idle: list[Callable[[], None]] = []
        self._is_underway = False  # a batch that outlives its controller

    def submit(self, job: Job) -> None:
        """Do this after everything submitted before."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._begin()

    def when_idle(self, told: Callable[[], None]) -> None:
        """Call this as soon as everything submitted is durable."""
        if self._jobs:
            self._idle.append(told)
        else:
            told()

    def close(self) -> None:
        """The controller is dead."""
        if not self._is_underway:
            self._store.close()

    def _begin(self) -> None:
        self._owner.post(self._owner.world.mischief.disk_delay(), self._commit)

    def _commit(self) -> None:
        job, owner = self._jobs[0], self._owner
        before, after = _steps(job)
        for step in before:
            owner.world.pass_step(step, owner)
        mischief = owner.world.mischief
        if _is_forbidden(job, mischief.store):
            self._fail()
            return
        if isinstance(job, ev.Write):
            if mischief.take("store fails"):
                self._fail()
                return
            if mischief.take("late write"):
                self._leave_behind(job.batch)
                return
            unknown = mischief.take("outcome unknown")
            try:
                self._store.apply(job.batch)
            except FencedError:
                owner.die("it ended with exit code 3")
                return
            owner.world.oracle.committed(owner, job.batch)
            for step in after:
                owner.world.pass_step(step, owner)
            if unknown:
                self._fail()
                return
        self._backoff.reset()
        owner.post(0, self._done)

    def _fail(self) -> None:
        if not self._trouble:
            self._trouble = True
            self._owner.feed(ev.StoreTroubled("the state store cannot be written: disk I/O error"))
            self._owner.world.oracle.troubled(self._owner)
        self._owner.post(int(self._backoff.next_seconds() * 1_000), self._commit)

    def _leave_behind(self, batch: Batch) -> None:
        owner = self._owner
        self._is_underway = True
        owner.engine.at(owner.engine.now + owner.engine.draw(1, LATEST_MS), None, self._arrive, batch)
        owner.die("it was ended by signal 9")

    def _arrive(self, batch: Batch) -> None:
        with suppress(FencedError):
            self._store.apply(batch)
            self._owner.world.oracle.committed(self._owner, batch)
        self._store.close()

    def _done(self) -> None:
        job = self._jobs[0]
        if self._trouble:
            self._trouble = False
            self._owner.feed(ev.StoreTroubled(""))
        if isinstance(job, ev.Write):
            done: ev.Event = ev.Written(job.batch.number)
        else:
            rows = self._store.load_pending(job.after_seq, job.limit)
            done = ev.PendingLoaded(rows, complete=len(rows) < job.limit)
        self._jobs.popleft()
        if self._jobs:
            self._begin()
        for told in self._idle if not self._jobs else ():
            told()
        if self._owner.alive:
            self._owner.feed(done)


def _is_forbidden(job: Job, store: StoreTrouble) -> bool:
    if isinstance(job, ev.Write):
        return store.forbids_writing(Where.EXECUTIONS)
    return store.forbids_reading(Where.EXECUTIONS)


def _steps(job: Job) -> tuple[list[Step], list[Step]]:
    """What a commit is on the path of a slice: before it, and after it."""
    if isinstance(job, ev.LoadPending):
        return [Step.BIRTH], []
    before, after = [], []
    if any(group.inserts or group.copies for group in job.batch.groups):
        before.append(Step.RECORD)
    if leased_in(job.batch):
        before.append(Step.LEASE)
        after.append(Step.LEASED)
    if any(group.completions or group.ends for group in job.batch.groups):
        before.append(Step.SETTLE)
        after.append(Step.SETTLED)
    if job.batch.head["outcome"]:
        before.append(Step.END)
        after.append(Step.ENDED)
    return before, after


def leased_in(batch: Batch) -> list[tuple[int, int]]:
    """The leases, as (seq, epoch), that a batch records."""
    found: list[tuple[int, int]] = []
    for group in batch.groups:
        found += [(row[0], 1) for row in (*group.inserts, *group.copies) if row[4] == SliceState.START]
        found += [(row[-1], 1) for row in group.first_leases]
        found += [(row[-1], row[0]) for row in group.later_leases]
    return found
