"""Faults planted in the product, one at a time: if the simulation is any good, it finds each of them.

A mutant is a context in which some function of the product is replaced by one that makes a mistake which a
real engineer could make.  No file of the product is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from msgspec import structs

from sliceworks.master.cluster import controllers, machine, statuses
from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.events import Restored
from sliceworks.master.cluster.model import Execution
from sliceworks.master.execution.events import Effect, Send
from sliceworks.master.execution.leases import LeaseTable
from sliceworks.master.execution.machine import ExecutionMachine
from sliceworks.master.execution.model import Link, Now
from sliceworks.master.store import execution as execution_store
from sliceworks.master.store.batch import Batch, SliceRow, SlicerRow
from sliceworks.protocol.messages import AckResults, SliceResults
from sliceworks.protocol.states import ExecutionStatus, ResultKind
from sliceworks.worker.results import ResultBook
from tests.simulation.slicer_process import request_of
from tests.simulation.world import Outcome, run_seed

SEEDS = range(1, 1_001)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: `plant` is the context in which it is made."""

    name: str
    plant: Callable[[], Any]
    sqlite: bool | None = None  # True: it is in the SQLite store, so every seed has to use it


def hunt(mutant: Mutant) -> Outcome | None:
    """The first seed that finds it; None if a thousand do not."""
    with mutant.plant():
        for seed in SEEDS:
            outcome = run_seed(seed, sqlite=mutant.sqlite)
            if outcome.failure:
                return outcome
    return None


@contextmanager
def epoch_not_checked() -> Iterator[None]:
    """Whatever is told of a leased slice is taken for its newest attempt."""
    settle = LeaseTable.settle

    def careless(self: LeaseTable, link: Link, results: SliceResults, now: Now) -> int:
        held = self.held
        epochs = [
            held[seq].epoch if seq in held else epoch
            for seq, epoch in zip(results.seqs, results.epochs, strict=True)
        ]
        return settle(self, link, structs.replace(results, epochs=epochs), now)

    with patch.object(LeaseTable, "settle", careless):
        yield


@contextmanager
def acknowledged_before_commit() -> Iterator[None]:
    """Results are acknowledged when their batch is on its way to the disk."""
    flush = ExecutionMachine.flush

    def hasty(self: ExecutionMachine, now: Now) -> list[Effect]:
        effects = flush(self, now)
        writing = self._journal._writing
        if writing is not None:
            effects += [Send(connection, AckResults(batch)) for connection, batch in writing.acks.items()]
            writing.acks.clear()
        return effects

    with patch.object(ExecutionMachine, "flush", hasty):
        yield


@contextmanager
def not_requeued_on_worker_death() -> Iterator[None]:
    """A slice whose worker died is forgotten."""
    judge = LeaseTable._judge

    def forgetful(self: LeaseTable, item: Any, ended: Any, how: Any, **more: Any) -> None:
        if how is not ResultKind.LOST:
            judge(self, item, ended, how, **more)

    with patch.object(LeaseTable, "_judge", forgetful):
        yield


@contextmanager
def epoch_reused_after_restart() -> Iterator[None]:
    """A new generation counts the attempts of waiting slices from one too few."""
    take_page = ExecutionMachine._take_page

    def off_by_one(self: ExecutionMachine, rows: list[SliceRow], *, complete: bool) -> None:
        lower = [replace(row, epoch=max(0, row.epoch - 1)) for row in rows]
        take_page(self, lower, complete=complete)

    with patch.object(ExecutionMachine, "_take_page", off_by_one):
        yield


@contextmanager
def slicer_resumed_from_completed() -> Iterator[None]:
    """A new generation lets slicers go on after what is done, not after what is recorded."""
    init = ExecutionMachine.__init__

    def rewound(self: ExecutionMachine, ex_id: str, **more: Any) -> None:
        snapshot = more["snapshot"]
        open_slices = snapshot.head.pending + snapshot.head.start
        rows = [_rewound(row, open_slices) for row in snapshot.slicers]
        init(self, ex_id, **{**more, "snapshot": replace(snapshot, slicers=rows)})

    with patch.object(ExecutionMachine, "__init__", rewound):
        yield


@contextmanager
def generation_not_checked() -> Iterator[None]:
    """A controller that was replaced can still write: batch numbers say nothing across generations."""
    checked = "generation = :generation AND batch = :batch - 1"
    head = execution_store._SQL["head"].replace(checked, f"generation <> :generation OR {checked}")
    with patch.dict(execution_store._SQL, head=head):
        yield


@contextmanager
def unknown_commit_taken_for_failed() -> Iterator[None]:
    """A batch whose commit had an unknown outcome is written again."""
    head = execution_store._SQL["head"].replace(" AND batch = :batch - 1", "")
    write_head = execution_store.ExecutionStore._write_head

    def again(self: execution_store.ExecutionStore, batch: Batch) -> bool:
        values = {**batch.head, "batch": batch.number, "generation": self._generation}
        return bool(self._connection.execute(head, values).rowcount) or write_head(self, batch)

    with patch.object(execution_store.ExecutionStore, "_write_head", again):
        yield


@contextmanager
def result_dropped_on_reconnect() -> Iterator[None]:
    """What was sent on the old connection counts as told."""
    with patch.object(ResultBook, "unacked", lambda self, window: []):
        yield


@contextmanager
def pause_forgotten_by_restart() -> Iterator[None]:
    """A new master takes over everything but the wish to pause."""
    restore = machine._restore

    def forgetful(core: Core, event: Restored) -> None:
        executions = tuple(
            replace(item, row=replace(item.row, wishes=structs.replace(item.row.wishes, paused=False)))
            for item in event.executions
        )
        restore(core, replace(event, executions=executions))

    with patch.object(machine, "_restore", forgetful):
        yield


@contextmanager
def wish_overwritten_by_old_report() -> Iterator[None]:
    """The status follows what the controller said, though it had not heard of the wish."""
    status_of = statuses.status_of

    def believing(execution: Execution) -> ExecutionStatus:
        told = execution.report.phase if execution.report else ""
        return ExecutionStatus.RUNNING if told == "running" else status_of(execution)

    with patch.object(controllers, "status_of", believing):
        yield


MUTANTS = (
    Mutant("epoch not checked", epoch_not_checked),
    Mutant("acknowledged before commit", acknowledged_before_commit),
    Mutant("not requeued on worker death", not_requeued_on_worker_death),
    Mutant("epoch reused after a controller restart", epoch_reused_after_restart),
    Mutant("slicer resumed from the last completed slice", slicer_resumed_from_completed),
    Mutant("generation not checked", generation_not_checked, sqlite=True),
    Mutant("unknown commit taken for failed", unknown_commit_taken_for_failed, sqlite=True),
    Mutant("result dropped on reconnect", result_dropped_on_reconnect),
    Mutant("pause forgotten by a restart", pause_forgotten_by_restart),
    Mutant("wish overwritten by an old report", wish_overwritten_by_old_report),
)


def _rewound(row: SlicerRow, by: int) -> SlicerRow:
    order = max(0, row.last_order - by)
    return replace(row, last_order=order, last_request=request_of(row.slicer_id, order) if order else None)
