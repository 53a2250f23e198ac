"""What a recovering execution reads of its lineage, and what must be true of it, told simply.

The newest record of a slice says what became of it: `master/store/lineage.py` finds it page by page in stores
of any size, this here all at once.  Played: `master/execution/lineage_source.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sliceworks.master.store.batch import SlicerRow
from sliceworks.master.store.lineage import InheritedSlice, Kinds, LineagePage
from sliceworks.protocol.states import SliceState
from tests.simulation.model_store import StoredSlice
from tests.simulation.slicer_process import request_of

if TYPE_CHECKING:
    from tests.simulation.disk import Disk

PAGE_SLICES: Final = 7
KIND_OF: Final = {
    SliceState.PENDING: Kinds.UNFINISHED,
    SliceState.START: Kinds.UNFINISHED,
    SliceState.COMPLETED: Kinds.NONE,
    SliceState.ERROR: Kinds.ERRORS,
}


def id_of(ex_id: str, item: StoredSlice) -> str:
    """The id that a slice has in every execution of its lineage; ids sort as their slices do."""
    return item.slice_id or f"{ex_id} {item.seq:08}"


def newest_records(disk: Disk, members: Sequence[str]) -> dict[str, StoredSlice]:
    """Each slice of these executions, the oldest first, as the newest of them has it."""
    return {id_of(ex_id, item): item for ex_id in members for item in disk.slices(ex_id)}


def next_page(disk: Disk, members: Sequence[str], kinds: Kinds, *, after: str) -> LineagePage:
    """The next slices of these kinds."""
    found = [
        InheritedSlice(slice_id, item.slicer_id, item.order, item.request)
        for slice_id, item in newest_records(disk, members).items()
        if KIND_OF[item.state] & kinds
    ]
    found.sort(key=lambda item: _place(members, item.slice_id))
    rest = [item for item in found if not after or _place(members, item.slice_id) > _place(members, after)]
    return LineagePage(rest[:PAGE_SLICES], complete=len(rest) <= PAGE_SLICES)


def positions(disk: Disk, members: Sequence[str]) -> list[SlicerRow]:
    """Where the slicers stand: as the newest execution has it that knows."""
    for ex_id in reversed(members):
        known = disk.positions(ex_id)
        if any(order or finished for order, finished in known.values()):
            return [_position(slicer_id, *known[slicer_id]) for slicer_id in sorted(known)]
    return []


def _place(members: Sequence[str], slice_id: str) -> tuple[int, int]:
    ex_id, seq = slice_id.split()
    return list(members).index(ex_id), int(seq)


def _position(slicer_id: int, order: int, finished: bool) -> SlicerRow:
    return SlicerRow(slicer_id, order, request_of(slicer_id, order) if order else None, None, finished)
