"""Recomputing an execution's counters from its slices: what the counters say must be what the rows say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sliceworks.master.store.reading import Reader, StorePlace, ex_id_at, reading
from sliceworks.master.store.rows import Columns, head_of
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.messages import SliceCounts
from sliceworks.protocol.states import SliceState


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was counted, and each difference in words."""

    counts: SliceCounts
    outcome: str | None
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether counters and rows agree."""
        return not self.differences


def verify_execution(place: StorePlace) -> VerifyReport:
    """Count the slices of a store in one snapshot; NotFoundError if there is no such store."""
    with reading(place) as reader:
        heads = reader.rows("head") if reader else []
        if reader is None or not heads:
            raise NotFoundError(_nothing_at(place))
        head = heads[0]
        counted = {row["state"]: row["number"] for row in reader.rows("recount")}
        counts = SliceCounts(*(counted.get(state, 0) for state in SliceState))
        found = [
            *_counters(head, counts),
            *_slicers(reader, has_inherited=bool(head_of(head).taken_up)),
            *_attempts(reader),
            *_ending(head, counts),
        ]
        return VerifyReport(counts, head["outcome"], tuple(found))


def _nothing_at(place: StorePlace) -> str:
    if isinstance(place, Path):
        return f"there is no store {place}: is the execution id right, and --data-dir the master's?"
    return f"the database has no execution {ex_id_at(place)}: is the id right, and --state-url the master's?"


def _counters(head: Columns, counts: SliceCounts) -> Iterator[str]:
    for name in counts.__struct_fields__:
        rows = getattr(counts, name)
        if head[name] != rows:
            yield f"{name}: the counter says {head[name]}, the rows say {rows}"


def _slicers(reader: Reader, *, has_inherited: bool) -> Iterator[str]:
    """A slicer that has made nothing here may stand where it stood in the execution that was recovered."""
    orders = {row["slicer_id"]: row["newest"] for row in reader.rows("recount_slicers")}
    for position in reader.rows("slicer_positions"):
        slicer_id, last_order = position["slicer_id"], position["last_order"]
        newest = orders.get(slicer_id, 0)
        if last_order != newest and not (has_inherited and not newest):
            yield f"slicer {slicer_id}: its position is {last_order}, its newest slice {newest}"


def _attempts(reader: Reader) -> Iterator[str]:
    orphans = reader.rows("orphan_attempts")[0]["number"]
    if orphans:
        yield f"{orphans} attempts belong to no slice, or come after its newest lease"


def _ending(head: Columns, counts: SliceCounts) -> Iterator[str]:
    outcome = head["outcome"]
    if outcome and counts.start:
        yield f"{counts.start} slices are in `start` although the execution has ended"
    if outcome == "completed" and (counts.pending or counts.error):
        yield "the execution is `completed` although not all of its slices are"
