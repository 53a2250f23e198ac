"""Where slices come from: what each slicer has made, how much more it may make, and how it is started again.

The slicer child makes slices only against credit.  Credit is given so that the queue holds about twice what
the daemons want, within a limit in bytes; that is the back-pressure that keeps memory flat.  A slicer resumes
after its highest recorded order, whatever became of that slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sliceworks.master.execution.model import Now, Slice
from sliceworks.master.store.batch import Row, SlicerRow
from sliceworks.master.store.lineage import InheritedSlice
from sliceworks.protocol.messages import SlicesMade, WantSlices

MIN_QUEUE: Final = 100
MAX_QUEUE_BYTES: Final = 16 * 1024 * 1024
MAX_DEATHS: Final = 3


@dataclass(slots=True)
class Position:
    """Where one slicer stands."""

    slicer_id: int
    last_order: int = 0
    last_request: bytes | None = None
    checkpoint: bytes | None = None
    finished: bool = False
    credit: int = 0  # slices it may still make; negative when one call made more than it was allowed

    def row(self) -> Row:
        """As it is stored."""
        return (self.slicer_id, self.last_order, self.last_request, self.checkpoint, int(self.finished))


class Supply:
    """All slicers of the execution."""

    def __init__(self, slicers: int, known: list[SlicerRow], last_seq: int) -> None:
        self._positions = {n: Position(n) for n in range(slicers)}
        self._positions.update({row.slicer_id: _position(row) for row in known})
        self._seq = last_seq
        self._is_closed = False
        self._made = 0  # by this generation
        self._made_bytes = 0
        self.max_queue = 10_000
        self.deaths = 0
        self.ready = False

    @property
    def finished(self) -> bool:
        """Every slicer has said that it has no more, or nobody wants more."""
        return self._is_closed or all(position.finished for position in self._positions.values())

    @property
    def started(self) -> bool:
        """Some slice was made, in this generation or before, or in an execution that is recovered."""
        return any(position.last_order for position in self._positions.values())

    @property
    def next_seq(self) -> int:
        """The seq of the next slice to be made."""
        return self._seq + 1

    @property
    def slicers(self) -> int:
        """How many slicers there are."""
        return len(self._positions)

    def recovery(self) -> list[dict[str, Any]]:
        """What the child is started with: slicers that have made something, or are done."""
        return [
            {
                "slicer_id": p.slicer_id,
                "last_slice": p.last_request,
                "checkpoint": p.checkpoint,
                "finished": p.finished,
            }
            for p in self._positions.values()
            if p.last_order or p.finished
        ]

    def close(self) -> None:
        """Slicers make nothing, wherever they stand."""
        self._is_closed = True

    def inherit(self, known: list[SlicerRow]) -> list[Row]:
        """Go on where the slicers of the lineage stood; all positions, to be recorded.

        If all of those had finished, there is nothing more, whatever number of slicers the job wants now.
        """
        inherited = {row.slicer_id: _position(row) for row in known}
        if inherited and all(position.finished for position in inherited.values()):
            self._positions = {}
        self._positions.update(inherited)
        return self._rows()

    def copy(self, slices: list[InheritedSlice], now: Now) -> list[Slice]:
        """Slices of the lineage as slices of this execution."""
        first = self.next_seq
        self._seq += len(slices)
        return [
            Slice(seq, item.slicer_id, item.slicer_order, item.request, now.wall_ms, slice_id=item.slice_id)
            for seq, item in enumerate(slices, first)
        ]

    def begin(self, slicers: int, max_queue_length: int) -> list[Row]:
        """The child is ready, with so many slicers; all positions, to be recorded.

        A reader may make fewer slicers than the job says: the others have nothing to do.
        """
        self.ready = True
        self.max_queue = max(1, max_queue_length)
        for position in self._positions.values():
            position.finished = position.finished or position.slicer_id >= slicers
        return self._rows()

    def restart(self) -> None:
        """The child is gone: its credit with it."""
        self.ready = False
        for position in self._positions.values():
            position.credit = 0

    def take(self, made: SlicesMade, now: Now) -> tuple[list[Slice], Row]:
        """New slices out of a message of the child, and the slicer's new position."""
        position = self._positions[made.slicer_id]
        seq, order, slicer_id, wall = self._seq, position.last_order, made.slicer_id, now.wall_ms
        items = []
        for request in made.requests:
            seq += 1
            order += 1
            items.append(Slice(seq, slicer_id, order, request, wall))
        position.credit -= len(items)
        position.last_order = order
        if items:
            position.last_request = items[-1].request
        position.checkpoint = made.checkpoint
        self._seq = seq
        self._made += len(items)
        self._made_bytes += sum([len(request) for request in made.requests])
        return items, position.row()

    def finish(self, slicer_id: int) -> Row:
        """A slicer is done."""
        position = self._positions[slicer_id]
        position.finished = True
        position.credit = 0
        return position.row()

    def wants(self, *, windows: int, queued: int, queued_bytes: int) -> list[WantSlices]:
        """Credit for the slicers, so that the queue stays about twice as long as all windows."""
        if not self.ready or queued_bytes >= MAX_QUEUE_BYTES:
            return []
        living = [p for p in self._positions.values() if not p.finished]
        target = min(max(2 * windows, MIN_QUEUE), self.max_queue, self._fit(queued_bytes))
        room = target - queued - sum(max(0, p.credit) for p in living)
        if not living or room < max(1, target // 4):
            return []
        each = -(-room // len(living))
        out = []
        for position in living:
            missing = each - min(0, position.credit)
            position.credit += missing
            out.append(WantSlices(position.slicer_id, missing))
        return out

    def _rows(self) -> list[Row]:
        return [position.row() for position in self._positions.values()]

    def _fit(self, queued_bytes: int) -> int:
        """How many slices of the size seen so far the limit in bytes allows."""
        made = self._made or 1
        average = max(1, self._made_bytes // made)
        return max(1, (MAX_QUEUE_BYTES - queued_bytes) // average) if self._made_bytes else MIN_QUEUE


def _position(row: SlicerRow) -> Position:
    return Position(row.slicer_id, row.last_order, row.last_request, row.checkpoint, row.finished)
