"""Recomputing an execution's counters from its slices: what the counters say must be what the rows say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sliceworks.master.store.sqlite import load_queries, open_for_reading
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.messages import SliceCounts
from sliceworks.protocol.states import SliceState

_SQL: Final = load_queries("history.sql")


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


def verify_execution(path: Path) -> VerifyReport:
    """Count the slices of a store in one snapshot; NotFoundError if there is no such store."""
    if not path.exists():
        message = f"there is no store {path}: is the execution id right, and --data-dir the master's?"
        raise NotFoundError(message)
    with closing(open_for_reading(path)) as connection:
        connection.execute("BEGIN")
        head = connection.execute(_SQL["head"]).fetchone()
        counted = dict(connection.execute(_SQL["recount"]).fetchall())
        counts = SliceCounts(*(counted.get(state, 0) for state in SliceState))
        found = [
            *_counters(head, counts),
            *_slicers(connection),
            *_attempts(connection),
            *_ending(head, counts),
        ]
        return VerifyReport(counts, head["outcome"], tuple(found))


def _counters(head: sqlite3.Row, counts: SliceCounts) -> Iterator[str]:
    for name in counts.__struct_fields__:
        rows = getattr(counts, name)
        if head[name] != rows:
            yield f"{name}: the counter says {head[name]}, the rows say {rows}"


def _slicers(connection: sqlite3.Connection) -> Iterator[str]:
    orders = dict(connection.execute(_SQL["recount_slicers"]).fetchall())
    for slicer_id, last_order in connection.execute(_SQL["slicer_positions"]).fetchall():
        newest = orders.get(slicer_id, 0)
        if last_order != newest:
            yield f"slicer {slicer_id}: its position is {last_order}, its newest slice {newest}"


def _attempts(connection: sqlite3.Connection) -> Iterator[str]:
    orphans = connection.execute(_SQL["orphan_attempts"]).fetchone()[0]
    if orphans:
        yield f"{orphans} attempts belong to no slice, or come after its newest lease"


def _ending(head: sqlite3.Row, counts: SliceCounts) -> Iterator[str]:
    outcome = head["outcome"]
    if outcome and counts.start:
        yield f"{counts.start} slices are in `start` although the execution has ended"
    if outcome == "completed" and (counts.pending or counts.error):
        yield "the execution is `completed` although not all of its slices are"
