"""The data of the cluster machine, and the few ways in which everything changes it.

Decisions (verbs, controllers, nodes, placement) are functions over this core: they replace rows, mark what
they touched, and append effects.  `flush` turns every replaced row into one Save; what was asked to wait for
it comes out of its Saved.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster.events import Now
from sliceworks.master.cluster.model import Execution, Limits, Node
from sliceworks.master.cluster.timers import Timers
from sliceworks.master.store.records import (
    AddExecution,
    AssetChange,
    AssetRecord,
    Change,
    ExecutionRow,
    JobChange,
    SaveExecution,
    SaveTotals,
    Totals,
)
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.states import ExecutionStatus, check_status_change

EXECUTION: Final = "execution"
NODE: Final = "node"


class Core:
    """The whole state of the machine."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.now = Now(0, 0)
        self.executions: dict[str, Execution] = {}
        self.pending: dict[str, Execution] = {}  # of these: what waits for its first slot, oldest first
        self.active: dict[str, Execution] = {}  # of these: the others, oldest start first
        self.slots = 0  # of all connected nodes, when workers were placed last
        self.living: dict[str, str] = {}  # job_id -> ex_id
        self.nodes: dict[str, Node] = {}
        self.assets: dict[str, AssetRecord] = {}  # also what is deleted, while something has begun with it
        self.totals = Totals()
        self.key = b""
        self.closing = False
        self.timers: Timers[tuple[str, str]] = Timers()
        self.effects: list[ef.Effect] = []
        self.rebalance = False
        self.touched: dict[str, None] = {}  # ex_ids, in order
        self.touched_nodes: dict[str, None] = {}
        self._jobs: list[JobChange | AssetChange] = []
        self._changes: list[Change] = []
        self._dirty: dict[str, None] = {}
        self._then: list[tuple[Execution | None, ef.Effect]] = []
        self._last: list[ef.Effect] = []
        self._saves = 0  # the newest Save
        self._durable = 0  # the newest Save that is durable
        self._rows: dict[int, list[tuple[Execution, ExecutionRow]]] = {}  # by Save in flight
        self._waiting: dict[int, list[ef.Effect]] = {}

    # --- executions and nodes -----------------------------------------------------------------------------

    def admit(self, execution: Execution) -> None:
        """Keep an execution from now on; one that is not stored yet is, with the next flush."""
        row = execution.row
        self.executions[row.ex_id] = execution
        (self.pending if row.status is ExecutionStatus.PENDING else self.active)[row.ex_id] = execution
        if not execution.is_terminal:
            self.living[row.job_id] = row.ex_id
        if execution.durable is None:
            self._dirty[row.ex_id] = None
        for node_id in row.placement:
            if node_id in self.nodes:
                self.nodes[node_id].guests.add(row.ex_id)
        self.touch(execution)
        self.rebalance = True

    def dismiss(self, execution: Execution) -> None:
        """Forget an execution: nothing of it is left."""
        ex_id = execution.row.ex_id
        self._bury(execution)
        for node_id in execution.row.placement:
            if node_id in self.nodes:
                self.nodes[node_id].guests.discard(ex_id)
                self.touched_nodes[node_id] = None
        self.timers.set((EXECUTION, ex_id), None)
        self._dirty.pop(ex_id, None)
        self.touched.pop(ex_id, None)
        self.pending.pop(ex_id, None)
        self.active.pop(ex_id, None)
        del self.executions[ex_id]
        self.rebalance = True

    def change(self, execution: Execution, **changes: Any) -> None:
        """Replace fields of the row; the store gets it with the next flush."""
        row = replace(execution.row, **changes)
        if row == execution.row:
            return
        execution.row = replace(row, updated_ms=max(self.now.wall_ms, row.updated_ms))
        self._dirty[row.ex_id] = None
        self.touch(execution)

    def set_status(self, execution: Execution, status: ExecutionStatus) -> None:
        """The only place where a status is written; ConflictError if the table has no such transition."""
        was = execution.row.status
        if status is was:
            return
        check_status_change(was, status)
        self.note("execution_status", ex_id=execution.row.ex_id, status=status.value, was=was.value)
        self.change(execution, status=status)
        if was is ExecutionStatus.PENDING:
            self.active[execution.row.ex_id] = self.pending.pop(execution.row.ex_id)
        self.rebalance = True
        if execution.is_terminal:
            self._bury(execution)

    def set_placement(self, execution: Execution, placement: Mapping[str, int]) -> None:
        """Where its workers are to be; nodes keep an index of their guests."""
        ex_id = execution.row.ex_id
        for node_id in {*placement, *execution.row.placement} & self.nodes.keys():
            node = self.nodes[node_id]
            if node_id in placement:
                node.guests.add(ex_id)
            else:
                node.guests.discard(ex_id)
                self.touched_nodes[node_id] = None
            if placement.get(node_id, 0) or node_id not in placement:
                node.empty_since.pop(ex_id, None)
        self.change(execution, placement=dict(placement))

    def touch(self, execution: Execution) -> None:
        """Look at it again before this event is done with."""
        self.touched[execution.row.ex_id] = None

    def touch_nodes(self, node_ids: Mapping[str, int]) -> None:
        """Look at these nodes again before this event is done with."""
        for node_id in node_ids:
            self.touched_nodes[node_id] = None

    def secret_of(self, ex_id: str, generation: int) -> bytes:
        """The secret of one life of a controller; nobody without the cluster's key can compute it."""
        return hmac.digest(self.key, f"{ex_id}:{generation}".encode(), hashlib.sha256)

    # --- effects ------------------------------------------------------------------------------------------

    def emit(self, effect: ef.Effect) -> None:
        """Carry this out; it depends on nothing that is not durable."""
        self.effects.append(effect)

    def note(self, event: str, **fields: object) -> None:
        """Log it."""
        self.effects.append(ef.Note(event, fields))

    def after_save(self, effect: ef.Effect, execution: Execution | None = None) -> None:
        """Carry this out when all that is decided by now about `execution` (None: the job) is durable."""
        self._then.append((execution, effect))

    def after_changes(self, effect: ef.Effect) -> None:
        """Carry this out when all that is decided by now is durable."""
        self._last.append(effect)

    def change_job(self, change: JobChange) -> None:
        """Make a new, changed or deleted job durable with the next flush, unless the store refuses it."""
        self._jobs.append(change)

    def change_asset(self, change: AssetChange) -> None:
        """Make what exists of an asset durable with the next flush; `after_save(…)` waits for it."""
        self._jobs.append(change)

    def save(self, change: Change) -> None:
        """Make this durable with the next flush."""
        self._changes.append(change)

    def set_totals(self, totals: Totals) -> None:
        """Replace the cluster's sums."""
        if totals != self.totals:
            self.totals = totals
            self._changes.append(SaveTotals(totals))

    # --- saving -------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Turn what was changed into Saves: what is new goes alone, because the store may refuse it."""
        dirty = [self.executions[ex_id] for ex_id in self._dirty]
        new = [execution for execution in dirty if not execution.saved_in and execution.durable is None]
        old = [execution for execution in dirty if execution not in new]
        adds = self._save([*self._jobs, *(AddExecution(item.row, item.document) for item in new)], new)
        self._save([*self._changes, *(SaveExecution(item.row) for item in old)], old)
        self._jobs, self._changes, self._dirty = [], [], {}
        then, self._then = self._then, []
        for execution, effect in then:
            self._when_saved(execution.saved_in if execution else adds, effect)
        last, self._last = self._last, []
        for effect in last:
            self._when_saved(self._saves, effect)

    def saved(self, number: int) -> None:
        """Let go what waited for this Save, and all before it."""
        for save in range(self._durable + 1, number + 1):
            for execution, row in self._rows.pop(save, ()):
                self.touch_nodes(
                    {**(execution.durable.placement if execution.durable else {}), **row.placement}
                )
                execution.durable = row
                if self.executions.get(row.ex_id) is execution:
                    self.touch(execution)
            self.effects.extend(self._waiting.pop(save, ()))
        self._durable = max(self._durable, number)

    def refused(self, number: int, error: SliceworksError) -> None:
        """What Save `number` would have added does not exist; who asked for it is told."""
        rows, waiting = self._rows.pop(number, []), self._waiting.pop(number, [])
        self.saved(number)
        for execution, _ in rows:
            if self.executions.get(execution.row.ex_id) is execution and execution.durable is None:
                self.dismiss(execution)
        for effect in waiting:
            if isinstance(effect, ef.Answer):
                self.emit(ef.Reject(effect.request, error))

    def _when_saved(self, number: int, effect: ef.Effect) -> None:
        if number <= self._durable:
            self.effects.append(effect)
        else:
            self._waiting.setdefault(number, []).append(effect)

    def _save(self, changes: list[Change], executions: list[Execution]) -> int:
        if not changes:
            return self._durable
        self._saves += 1
        self._rows[self._saves] = [(execution, execution.row) for execution in executions]
        for execution in executions:
            execution.saved_in = self._saves
        self.effects.append(ef.Save(self._saves, tuple(changes)))
        return self._saves

    def _bury(self, execution: Execution) -> None:
        """Its job may have another living execution."""
        if self.living.get(execution.row.job_id) == execution.row.ex_id:
            del self.living[execution.row.job_id]
