"""What never bends, looked at while it happens and at the end.

The oracle sees what no process sees: every begin of a slice, how each attempt truly ended, what the client
was answered, and the disk.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sliceworks.master.store.batch import Batch
from sliceworks.master.store.lineage import Kinds
from sliceworks.master.store.records import ExecutionRow
from sliceworks.protocol.messages import Assignments
from sliceworks.protocol.states import (
    INIT_STATUSES,
    RUNNING_STATUSES,
    TERMINAL_STATUSES,
    ErrorReason,
    ExecutionStatus,
    ResultKind,
    SliceState,
    check_status_change,
)
from tests.simulation.engine import Violation
from tests.simulation.lineage import KIND_OF, id_of, newest_records
from tests.simulation.slicer_process import request_of
from tests.simulation.writer import leased_in

if TYPE_CHECKING:
    from tests.simulation.controller_process import Controller
    from tests.simulation.daemon_process import Daemon
    from tests.simulation.model_store import StoredSlice
    from tests.simulation.world import World

S = ExecutionStatus
_FAILED_TRIES = (ResultKind.ERROR, ResultKind.FATAL, ResultKind.TIMED_OUT)
_ENDINGS = {S.COMPLETED: "completed", S.TERMINATED: "terminated", S.STOPPED: "stopped"}


class Oracle:
    """All checks of one schedule; each raises Violation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun: set[tuple[str, int, int]] = set()
        self._begun_slices: set[tuple[str, int]] = set()
        self._ran: dict[tuple[str, int, int], ResultKind] = {}
        self._op_errors: Counter[tuple[str, int]] = Counter()
        self._losses: Counter[tuple[str, int]] = Counter()
        self._generations: dict[str, int] = {}
        self._promised: dict[tuple[str, str], object] = {}  # (ex_id, wish) -> what the client was answered
        self._paused_at: dict[str, int] = {}

    @property
    def attempts(self) -> int:
        """How many were begun."""
        return len(self._begun)

    # --- slices

    def began(self, ex_id: str, seq: int, epoch: int) -> None:
        """A worker begins an attempt."""
        if (ex_id, seq, epoch) in self._begun:
            self._fail(f"attempt {epoch} of slice {seq} of {ex_id} was begun twice")
        if self._world.job_of(ex_id).at_most_once and (ex_id, seq) in self._begun_slices:
            self._fail(f"slice {seq} of {ex_id} was begun twice, and may be begun once")
        lease = self._world.disk.lease(ex_id, seq)
        if lease is None or lease[1] < epoch:
            self._fail(f"attempt {epoch} of slice {seq} of {ex_id} was begun before its lease was durable")
        self._begun.add((ex_id, seq, epoch))
        self._begun_slices.add((ex_id, seq))

    def ran(self, ex_id: str, seq: int, epoch: int, kind: ResultKind) -> None:
        """An attempt ended so, whoever gets to know it."""
        self._ran[ex_id, seq, epoch] = kind
        self._op_errors[ex_id, seq] += kind in _FAILED_TRIES

    def lost(self, ex_id: str, seq: int) -> None:
        """A worker died with this slice in hand."""
        self._losses[ex_id, seq] += 1

    def acknowledged(self, ex_id: str, leases: list[tuple[int, int]]) -> None:
        """A daemon forgets these results now."""
        for seq, epoch in leases:
            if self._world.disk.lease(ex_id, seq) == (SliceState.START, epoch):
                self._fail(
                    f"the result of attempt {epoch} of slice {seq} of {ex_id} was acknowledged, not written"
                )

    def took_over(self, controller: Controller) -> None:
        """A controller has opened its store: no older one can write from now on."""
        self._generations[controller.ex_id] = controller.generation

    def committed(self, controller: Controller, batch: Batch) -> None:
        """A controller's batch is on the disk."""
        ex_id, generation = controller.ex_id, controller.generation
        newest = self._generations[ex_id]
        if generation != newest:
            self._fail(f"generation {generation} of {ex_id} wrote after generation {newest} had taken over")
        paused_at = self._paused_at.get(ex_id)
        if paused_at is not None and controller.born > paused_at and leased_in(batch):
            self._fail(f"generation {generation} of {ex_id} leased slices, and was born paused")

    def troubled(self, controller: Controller) -> None:
        """A controller was told that its store cannot be written."""
        reason = controller.report().reason
        if "cannot be written" not in reason:
            self._fail(f"the store of {controller.ex_id} cannot be written, and its reason is {reason!r}")

    # --- what the master writes and promises

    def noted(self, event: str, fields: dict[str, object]) -> None:
        """The master's log."""
        if event == "execution_status":
            check_status_change(ExecutionStatus(str(fields["was"])), ExecutionStatus(str(fields["status"])))

    def saved(self, old: ExecutionRow | None, new: ExecutionRow) -> None:
        """A row of the cluster's store was replaced."""
        if old is not None:
            self._check_successor(old, new)
        self._check_promises(new)
        status, wishes = new.status, new.wishes
        if status in TERMINAL_STATUSES:
            if status is S.STOPPED and (old is None or old.status is not S.STOPPED):
                self._check_nothing_runs(new.ex_id)
            return
        if wishes.paused and not wishes.stopping and status in (S.RUNNING, S.FAILING):
            self._fail(f"{new.ex_id} is {status}, and paused")
        if wishes.stopping and not new.fate.verdict and status is not S.STOPPING:
            self._fail(f"{new.ex_id} is {status}, and is to stop")

    def promise(self, ex_id: str, wish: str, value: object) -> None:
        """A client was answered that this is so; None: it does not know any more."""
        if value is None:
            self._promised.pop((ex_id, wish), None)
        else:
            self._promised[ex_id, wish] = value
        if wish == "paused":
            self._paused_at.pop(ex_id, None)
            if value:
                self._paused_at[ex_id] = self._world.engine.now
        if value is not None:
            self._check_promises(self._world.disk.rows[ex_id].row)

    def promised(self, ex_id: str, wish: str) -> object:
        """What the client knows."""
        return self._promised.get((ex_id, wish))

    def assigned(self, daemon: Daemon, assignments: Assignments) -> None:
        """A node was told what to run."""
        wanted = sum(item.workers for item in assignments.items)
        if wanted > daemon.slots:
            self._fail(f"{daemon.node_id} has {daemon.slots} slots and was given {wanted} workers")

    # --- the end

    def finish(self) -> None:
        """Everything has ended: look at every execution."""
        rows = self._world.disk.rows
        for ex_id, item in rows.items():
            self._check_execution(ex_id, item.row)
        for root in [ex_id for ex_id, item in rows.items() if not item.row.lineage]:
            self._check_lineage([name for name, item in rows.items() if root in (name, item.row.lineage)])

    def _check_execution(self, ex_id: str, row: ExecutionRow) -> None:
        disk = self._world.disk
        for difference in disk.differences(ex_id):
            self._fail(f"{ex_id}: {difference}")
        slices = disk.slices(ex_id)
        for item in slices:
            self._check_slice(ex_id, item)
        left = Counter(item.state for item in slices)
        head = disk.head(ex_id)
        if head.outcome and left[SliceState.START]:
            self._fail(f"{ex_id} has ended {head.outcome}, and slices of it are in start")
        by_slices = head.outcome == "completed" or "during processing" in (head.outcome_failure or "")
        if by_slices:
            self._check_all_done(ex_id, left, complete=head.outcome == "completed")
            self._check_taken_up(ex_id, complete=head.outcome == "completed")
        self._check_status(row, head.outcome)

    def _check_status(self, row: ExecutionRow, outcome: str | None) -> None:
        """The status is what the controller recorded, as far as it was the controller's to say."""
        allowed: set[str | None] = {_ENDINGS.get(row.status, outcome)}
        if row.status is S.TERMINATED:
            allowed.add("stopped")  # it stopped without being asked to
        if row.status is S.STOPPED and not row.generation:
            allowed.add(None)  # it never had a controller
        if outcome not in allowed:
            self._fail(f"{row.ex_id} is {row.status}, and its outcome is {outcome}")

    def _check_lineage(self, members: list[str]) -> None:
        """Executions that recovered one another: each slice was made once, and completed once at most."""
        made: dict[int, list[int]] = {}
        completed: Counter[str] = Counter()
        for ex_id in members:
            for item in self._world.disk.slices(ex_id):
                completed[id_of(ex_id, item)] += item.state is SliceState.COMPLETED
                if item.slice_id is None:
                    made.setdefault(item.slicer_id, []).append(item.order)
        for slicer_id, found in made.items():
            if sorted(found) != list(range(1, len(found) + 1)):
                self._fail(f"{members[0]}: slicer {slicer_id} has the slices {sorted(found)}")
        for slice_id, count in completed.items():
            if count > 1:
                self._fail(f"slice {slice_id} was completed by {count} executions of {members}")

    def _check_slice(self, ex_id: str, item: StoredSlice) -> None:
        where = f"{ex_id}: slice {item.seq}"
        if item.request != request_of(item.slicer_id, item.order):
            self._fail(f"{ex_id}: slice {item.order} of slicer {item.slicer_id} has request {item.request!r}")
        if item.state is SliceState.COMPLETED:
            kind = self._ran.get((ex_id, item.seq, item.epoch))
            if kind is not ResultKind.COMPLETED:
                self._fail(f"{where} is completed, and its attempt {item.epoch} ended {kind}")
        true = self._op_errors[ex_id, item.seq] + self._losses[ex_id, item.seq]  # one of them by a time limit
        if item.op_errors + item.losses > true:
            self._fail(f"{where} is charged with {item.op_errors} errors and {item.losses} losses, of {true}")
        if item.losses > self._losses[ex_id, item.seq]:
            self._fail(f"{where} is charged with {item.losses} lost workers")
        if item.state is SliceState.ERROR:
            self._check_error(where, item, ex_id)

    def _check_error(self, where: str, item: StoredSlice, ex_id: str) -> None:
        job = self._world.job_of(ex_id)
        allowed = job.max_retries + 1 if not job.at_most_once else 1
        match item.reason:
            case ErrorReason.FAILED:
                kind = self._ran.get((ex_id, item.seq, item.epoch))
                if kind is not ResultKind.FATAL and item.op_errors != allowed:
                    self._fail(f"{where} failed after {item.op_errors} errors of {allowed}")
            case ErrorReason.TIMEOUT if job.has_time_limit and item.op_errors == allowed:
                pass
            case ErrorReason.POISON if item.losses == job.rules.max_worker_losses:
                pass
            case ErrorReason.LOST if job.at_most_once:
                pass
            case _:
                self._fail(f"{where} is in error, reason {item.reason}")

    def _check_all_done(self, ex_id: str, left: Counter[SliceState], *, complete: bool) -> None:
        job = self._world.job_of(ex_id)
        if left[SliceState.PENDING] or (left[SliceState.ERROR] > 0) is complete:
            self._fail(f"{ex_id} has ended by its slices, which are {dict(left)}")
        if self._world.disk.rows[ex_id].row.lineage:
            return
        if left.total() != job.slicers * job.slices:
            self._fail(f"{ex_id} has {left.total()} slices of {job.slicers} x {job.slices}")

    def _check_taken_up(self, ex_id: str, *, complete: bool) -> None:
        """Of the kinds of slices that a recovering execution was to take up none is left."""
        world = self._world
        if not world.disk.rows[ex_id].row.lineage:
            return
        job, asked = world.job_of(ex_id), world.client.inheritance_of(ex_id)
        records = newest_records(world.disk, world.disk.lineage_of(ex_id))
        wrong = asked.kinds if complete else asked.kinds & Kinds.UNFINISHED
        for slice_id, item in records.items():
            if KIND_OF[item.state] & wrong:
                self._fail(f"{ex_id} has ended by its slices, and slice {slice_id} is {item.state.name}")
        if not asked.ends_after and len(records) != job.slicers * job.slices:
            self._fail(f"{ex_id} recovered {len(records)} slices of {job.slicers} x {job.slices}")

    # --- parts

    def _check_successor(self, old: ExecutionRow, new: ExecutionRow) -> None:
        if old.status in TERMINAL_STATUSES and new.status is not old.status:
            self._fail(f"{new.ex_id} was {old.status} and became {new.status}")
        if old.status in RUNNING_STATUSES and new.status in INIT_STATUSES:
            self._fail(f"{new.ex_id} was {old.status} and became {new.status}")
        if new.generation < old.generation:
            self._fail(f"{new.ex_id}: generation {old.generation} became {new.generation}")
        if old.wishes.stopping and not new.wishes.stopping:
            self._fail(f"{new.ex_id} was to stop, and is not any more")

    def _check_promises(self, row: ExecutionRow) -> None:
        if row.status in TERMINAL_STATUSES:
            return
        for wish in ("paused", "stopping", "workers"):
            promised = self._promised.get((row.ex_id, wish))
            if promised is not None and getattr(row.wishes, wish) != promised:
                self._fail(f"{row.ex_id}: {wish} is {getattr(row.wishes, wish)}, {promised} was promised")

    def _check_nothing_runs(self, ex_id: str) -> None:
        world = self._world
        for controller in world.controllers.values():
            if controller.ex_id == ex_id:
                self._fail(f"{ex_id} is stopped, and controller {controller.generation} of it lives")
        for worker in world.workers.values():
            if worker.ex_id == ex_id and not worker.daemon.was_hung:
                self._fail(f"{ex_id} is stopped, and a worker of it lives on {worker.daemon.node_id}")

    def _fail(self, text: str) -> None:
        raise Violation(text)
