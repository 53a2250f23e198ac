"""What is counted and shown: the statistics of the API, and what each operation did."""

from __future__ import annotations

from collections.abc import Iterable

from sliceworks.master.execution.links import LinkTable
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.master.store.batch import Head, Row
from sliceworks.protocol.messages import (
    ControllerReport,
    OperationTotals,
    SliceCounts,
    SliceTimings,
    Statistics,
)
from sliceworks.protocol.timestamps import iso_from_ms


class OperationSums:
    """Totals of each operation, over all workers and generations."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[int, Row] = {row[0]: tuple(row) for row in rows}

    def add(self, totals: Iterable[OperationTotals]) -> list[Row]:
        """Add what a batch of results brought; the rows that changed."""
        changed = []
        for t in totals:
            _, slices, time_us, records_in, records_out, memory = self._rows.get(t.op, (t.op, 0, 0, 0, 0, 0))
            row = (
                t.op,
                slices + t.slices,
                time_us + t.time_us,
                records_in + t.records_in,
                records_out + t.records_out,
                max(memory, t.memory_bytes),
            )
            self._rows[t.op] = row
            changed.append(row)
        return changed

    def totals(self) -> list[OperationTotals]:
        """By place in the job."""
        return [OperationTotals(*row) for _, row in sorted(self._rows.items())]


def slice_counts(head: Head) -> SliceCounts:
    """Slices by state."""
    return SliceCounts(head.pending, head.start, head.completed, head.error)


def statistics(head: Head, *, slicers: int, links: LinkTable | None = None, queued: int = 0) -> Statistics:
    """The fields of api.md part B 2; without links: of an execution that has ended."""
    return Statistics(
        workers_available=max(0, links.available - links.active) if links else 0,
        workers_active=links.active if links else 0,
        workers_joined=head.workers_joined,
        workers_reconnected=head.workers_reconnected,
        workers_disconnected=head.workers_disconnected,
        job_duration=_duration(head),
        failed=head.error,
        queued=queued,
        processed=head.completed + head.error,
        slicers=slicers,
        started=iso_from_ms(head.started_ms) if head.started_ms else "",
        queuing_complete=iso_from_ms(head.queuing_complete_ms) if head.queuing_complete_ms else "",
    )


class StatisticsView:
    """Reads the machine's parts for a report."""

    def __init__(self, head: Head, links: LinkTable, queue: SliceQueue) -> None:
        self._head = head
        self._links = links
        self._queue = queue

    def report(
        self,
        *,
        phase: str,
        reason: str,
        slicers: int,
        operations: list[OperationTotals],
        timings: SliceTimings,
    ) -> ControllerReport:
        """The report to the master."""
        return ControllerReport(
            phase=phase,
            reason=reason,
            failure=self._head.failure,
            statistics=statistics(self._head, slicers=slicers, links=self._links, queued=len(self._queue)),
            counts=slice_counts(self._head),
            operations=operations,
            timings=timings,
        )


def _duration(head: Head) -> int:
    """Whole seconds, at least 1; 0 while it goes on."""
    if head.ended_ms is None or head.started_ms is None:
        return 0
    return max(1, (head.ended_ms - head.started_ms) // 1000)
