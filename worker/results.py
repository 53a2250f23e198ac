"""Results on their way to the controller: gathered in a turn, numbered, and kept until they are acknowledged.

Batch numbers only rise, and what a batch says never changes once it has a number: it is sent again, after a
reconnect, under the same number, so that the controller can tell a repetition.  Only the window, which is no
part of the results, is the newest one.  A batch stays well under the limit of a frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, OperationTotals, ResultDetail, SliceResults
from sliceworks.protocol.states import ResultKind
from sliceworks.protocol.timings import Timings
from sliceworks.worker.leases import Lease

MAX_BATCH_SLICES = 20_000
MAX_BATCH_CHARS = 4_000_000
MAX_KEPT_CHARS = 32_000_000

_NO_WORKER = WorkerId(0)


class _OpenBatch:
    """Columns that still grow."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.epochs: list[int] = []
        self.kinds = bytearray()
        self.workers: list[int] = []
        self.started_ms: list[int] = []
        self.run_us: list[int] = []
        self.details: dict[int, ResultDetail] = {}
        self.operations: list[OperationTotals] = []
        self.chars = 0

    @property
    def full(self) -> bool:
        return len(self.seqs) >= MAX_BATCH_SLICES or self.chars >= MAX_BATCH_CHARS

    def sealed(self, number: int, window: int) -> SliceResults:
        return SliceResults(
            batch=number,
            seqs=self.seqs,
            epochs=self.epochs,
            kinds=bytes(self.kinds),
            workers=self.workers,
            started_ms=self.started_ms,
            run_us=self.run_us,
            details=self.details,
            operations=_added_up(self.operations),
            window=window,
        )


class ResultBook:
    """Every result that the controller has not acknowledged; `first_batch` is the first number used."""

    def __init__(self, first_batch: int) -> None:
        self.next_batch = first_batch
        self._open: list[_OpenBatch] = []
        self._unacked: deque[SliceResults] = deque()
        self._kept_chars = 0
        self.timings = Timings()

    @property
    def empty(self) -> bool:
        """Everything was acknowledged."""
        return not self._unacked and not self._open

    @property
    def overfull(self) -> bool:
        """So much error text waits for acknowledgement that no more work should be asked for."""
        return self._kept_chars > MAX_KEPT_CHARS

    def add_frame(self, worker_id: WorkerId, frame: HostResults) -> None:
        """Results of one worker."""
        batch = self._current()
        base = len(batch.seqs)
        batch.seqs += frame.seqs
        batch.epochs += frame.epochs
        batch.kinds += frame.kinds
        batch.workers += [worker_id] * len(frame.seqs)
        batch.started_ms += frame.started_ms
        batch.run_us += frame.run_us
        if frame.operations:
            batch.operations += frame.operations
        for index, detail in frame.details.items():
            batch.details[base + index] = detail
            batch.chars += len(detail.error) + len(detail.log_tail)

    def add_returned(self, leases: Iterable[Lease], worker_id: WorkerId = _NO_WORKER) -> None:
        """Leases handed back; no worker began them."""
        for lease in leases:
            self.add_ended(lease, worker_id, ResultKind.RETURNED)

    def add_ended(
        self,
        lease: Lease,
        worker_id: WorkerId,
        kind: ResultKind,
        *,
        started_ms: int = 0,
        run_us: int = 0,
        detail: ResultDetail | None = None,
    ) -> None:
        """One lease that ended otherwise than by a result of its worker."""
        batch = self._current()
        if detail:
            batch.details[len(batch.seqs)] = detail
            batch.chars += len(detail.error) + len(detail.log_tail)
        batch.seqs.append(lease[0])
        batch.epochs.append(lease[1])
        batch.kinds.append(kind)
        batch.workers.append(worker_id)
        batch.started_ms.append(started_ms)
        batch.run_us.append(run_us)

    def seal(self, window: int) -> list[SliceResults]:
        """Number what was gathered; kept from now on."""
        if not self._open:
            return []
        sealed = []
        for batch in self._open:
            sealed.append(batch.sealed(self.next_batch, window))
            self.timings.ran(batch.kinds, batch.run_us)
            self._kept_chars += batch.chars
            self.next_batch += 1
        self._open = []
        self._unacked += sealed
        return sealed

    def acked(self, batch: int) -> None:
        """Forget the batches up to and including this one."""
        while self._unacked and self._unacked[0].batch <= batch:
            for detail in self._unacked.popleft().details.values():
                self._kept_chars -= len(detail.error) + len(detail.log_tail)

    def unacked(self, window: int) -> list[SliceResults]:
        """The kept batches in order, with the window as it is now."""
        return [msgspec.structs.replace(batch, window=window) for batch in self._unacked]

    def leases(self) -> Iterator[Lease]:
        """The lease of each result that is kept."""
        for sealed in self._unacked:
            yield from zip(sealed.seqs, sealed.epochs, strict=True)
        for batch in self._open:
            yield from zip(batch.seqs, batch.epochs, strict=True)

    def _current(self) -> _OpenBatch:
        if not self._open or self._open[-1].full:
            self._open.append(_OpenBatch())
        return self._open[-1]


def without(frame: HostResults, dropped: set[int]) -> HostResults:
    """The frame without the results at these indexes."""
    kept = [index for index in range(len(frame.seqs)) if index not in dropped]
    return HostResults(
        seqs=[frame.seqs[index] for index in kept],
        epochs=[frame.epochs[index] for index in kept],
        kinds=bytes(frame.kinds[index] for index in kept),
        started_ms=[frame.started_ms[index] for index in kept],
        run_us=[frame.run_us[index] for index in kept],
        details={place: frame.details[index] for place, index in enumerate(kept) if index in frame.details},
        operations=frame.operations,
    )


def _added_up(totals: list[OperationTotals]) -> list[OperationTotals]:
    """One entry for each operation."""
    sums: dict[int, OperationTotals] = {}
    for item in totals:
        before = sums.get(item.op)
        sums[item.op] = item if before is None else _sum(before, item)
    return list(sums.values())


def _sum(first: OperationTotals, second: OperationTotals) -> OperationTotals:
    return OperationTotals(
        op=first.op,
        slices=first.slices + second.slices,
        time_us=first.time_us + second.time_us,
        records_in=first.records_in + second.records_in,
        records_out=first.records_out + second.records_out,
        memory_bytes=max(first.memory_bytes, second.memory_bytes),
    )
