"""A fake of an execution's store: the same promises as `master/store/execution.py`, kept in dictionaries.

Stricter than the real one: a slice whose state changes in a way that the table does not have is a violation
at once.  `test_model_store.py` holds it to what the real one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sliceworks.master.store.batch import Batch, Group, Head, NodeRow, SliceRow, SlicerRow, Snapshot
from sliceworks.protocol.errors import FencedError
from sliceworks.protocol.states import SLICE_TRANSITIONS, SliceState
from tests.simulation.engine import Violation


@dataclass(slots=True)
class StoredSlice:
    """What is checked of a slice: where it comes from, and what became of it."""

    seq: int
    slicer_id: int
    order: int
    request: bytes
    state: SliceState
    epoch: int
    node: int | None
    op_errors: int = 0
    losses: int = 0
    reason: str | None = None
    slice_id: str | None = None  # of a copy: the id that it keeps

    def move(self, state: int) -> None:
        """Change the state as the table allows."""
        if SliceState(state) not in SLICE_TRANSITIONS[self.state]:
            message = f"slice {self.seq}: {self.state.name} became {SliceState(state).name}"
            raise Violation(message)
        self.state = SliceState(state)


@dataclass(slots=True)
class ModelFile:
    """What is on the disk: nothing in it is ever half written."""

    generation: int = 0
    batch: int = 0
    head: Head = field(default_factory=Head)
    slices: dict[int, StoredSlice] = field(default_factory=dict)
    slicers: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    nodes: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    operations: dict[int, tuple[Any, ...]] = field(default_factory=dict)


class ModelStore:
    """A controller's handle on the file; made by `open`."""

    def __init__(self, file: ModelFile, generation: int) -> None:
        self._file = file
        self._generation = generation
        self._inserted: set[int] = set()  # in the batch that is being applied

    @classmethod
    def open(cls, file: ModelFile, generation: int) -> ModelStore:
        """Take the file over; FencedError if this generation or a newer one was here before."""
        if file.generation >= generation:
            message = f"generation {generation} was replaced"
            raise FencedError(message)
        file.generation = generation
        return cls(file, generation)

    def load(self) -> Snapshot:
        """See the real one."""
        file = self._file
        floor = file.head.floor_seq
        return Snapshot(
            batch=file.batch,
            head=replace(file.head),
            last_seq=max(file.slices, default=0),
            slicers=[SlicerRow(*row) for _, row in sorted(file.slicers.items())],
            nodes=[NodeRow(*row) for _, row in sorted(file.nodes.items())],
            leases=[
                _row(item, item.node)
                for seq, item in sorted(file.slices.items())
                if seq >= floor and item.state is SliceState.START
            ],
            operations=[row for _, row in sorted(file.operations.items())],
            last_copy=file.slices[file.head.copied].slice_id or "" if file.head.copied else "",
        )

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        """See the real one."""
        found = [
            _row(item, None)
            for seq, item in sorted(self._file.slices.items())
            if seq > after_seq and item.state is SliceState.PENDING
        ]
        return found[:limit]

    def apply(self, batch: Batch) -> None:
        """See the real one."""
        file = self._file
        if file.generation != self._generation or batch.number != file.batch + 1:
            if file.generation == self._generation and batch.number == file.batch:
                return
            message = f"generation {self._generation} was replaced"
            raise FencedError(message)
        file.batch = batch.number
        file.head = Head(**batch.head)
        file.nodes.update({row[0]: row for row in batch.nodes if row[0] not in file.nodes})
        self._inserted = {row[0] for group in batch.groups for row in (*group.inserts, *group.copies)}
        for group in batch.groups:
            self._apply_group(group)
        file.slicers.update({row[0]: (*row[:4], bool(row[4])) for row in batch.slicers})
        file.operations.update({row[0]: row for row in batch.operations})

    def close(self) -> None:
        """Nothing is kept open."""

    def _apply_group(self, group: Group) -> None:
        slices = self._file.slices
        rows = [*((*row, None) for row in group.inserts), *group.copies]
        for seq, slicer_id, order, request, state, epoch, _, _, node, _, slice_id in rows:
            if seq in slices:
                message = f"slice {seq} was inserted twice"
                raise Violation(message)
            slices[seq] = StoredSlice(
                seq, slicer_id, order, request, SliceState(state), epoch, node, slice_id=slice_id
            )
        for *_, seq in group.completions:
            slices[seq].move(SliceState.COMPLETED)
        for state, _, op_errors, losses, reason, seq in group.ends:
            item = slices[seq]
            if (
                seq not in self._inserted or state != SliceState.PENDING
            ):  # leased and back before it was written
                item.move(state)
            item.op_errors, item.losses, item.reason = op_errors, losses, reason
        for node, _, _, seq in group.first_leases:
            slices[seq].move(SliceState.START)
            slices[seq].epoch, slices[seq].node = 1, node
        for epoch, _, seq in group.later_leases:
            slices[seq].move(SliceState.START)
            slices[seq].epoch = epoch
        for seq, _, node, _ in group.new_attempts:
            slices[seq].node = node


def _row(item: StoredSlice, node: int | None) -> SliceRow:
    return SliceRow(
        item.seq,
        item.slice_id,
        item.slicer_id,
        item.order,
        item.request,
        item.epoch,
        item.op_errors,
        item.losses,
        node,
    )
