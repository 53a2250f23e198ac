"""Reading a lineage: what became of each slice in the newest execution that has it, and where slicers stand.

The executions of a lineage have ended, so what is read here does not change.  Slices have a key: the place of
the execution that made them in the lineage, and their seq there.  Copies are made in the order of keys, and
before an execution makes slices of its own, so every store is sorted by key when it is read by seq, and one
merge over all of them finds the newest record of each slice.  It needs a page of each store in memory.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import groupby
from typing import Final, NamedTuple

import orjson

from sliceworks.master.store.batch import Head, SlicerRow
from sliceworks.master.store.reading import StorePlace, reading
from sliceworks.master.store.rows import Columns, head_of
from sliceworks.protocol.errors import StoreError, StoreUnavailableError
from sliceworks.protocol.ids import ExId, Seq, SliceId, SliceKeys, slice_id_of
from sliceworks.protocol.states import SliceState

PAGE_SLICES: Final = 2_000
PAGE_BYTES: Final = 4 * 1024 * 1024
_KEYS_AT_ONCE: Final = 20_000
"""Of all stores together."""


class Kinds(IntFlag):
    """Kinds of slices that a recovery takes up."""

    NONE = 0
    ERRORS = 1
    UNFINISHED = 2
    ALL = 3


_KIND_OF: Final = {
    SliceState.PENDING: Kinds.UNFINISHED,
    SliceState.START: Kinds.UNFINISHED,
    SliceState.COMPLETED: Kinds.NONE,
    SliceState.ERROR: Kinds.ERRORS,
}


@dataclass(frozen=True, slots=True)
class InheritedSlice:
    """A slice to be done again, under the id that it has."""

    slice_id: str
    slicer_id: int
    slicer_order: int
    request: bytes


@dataclass(frozen=True, slots=True)
class LineagePage:
    """The next slices; `complete`: there are no more."""

    slices: list[InheritedSlice]
    complete: bool


class _Found(NamedTuple):
    """One record of a slice; of two with the same key the later one is from a newer execution."""

    key: tuple[int, int]
    member: int  # whose store has it
    seq: int  # where there
    state: int
    size: int


class Lineage:
    """Executions that recovered one another, the oldest first.  Every method blocks.

    All of them raise StoreUnavailableError when a store cannot be read now, StoreError when it is damaged.
    """

    def __init__(self, ex_ids: Sequence[str], place: Callable[[str], StorePlace]) -> None:
        self._ex_ids = [ExId(ex_id) for ex_id in ex_ids]
        self._place = place
        self._keys = SliceKeys(self._ex_ids)

    def positions(self) -> list[SlicerRow]:
        """Where the slicers stand; empty if no slicer of the lineage has made anything."""
        for member in reversed(range(len(self._ex_ids))):
            positions = [_position(row) for row in self._rows(member, "inherited_positions")]
            if any(position.last_order or position.finished for position in positions):
                return positions
        return []

    def pages(self, kinds: Kinds, *, after: str = "", limit: int = PAGE_SLICES) -> Iterator[LineagePage]:
        """The newest records of these kinds, in the order of keys, behind the slice with the id `after`.

        A page holds `limit` slices at most, and no more bytes than can be written at once.
        """
        key = self._key_of(SliceId(after)) if after else (-1, 0)
        chosen: list[_Found] = []
        size = 0
        for found in self._newest(kinds, key):
            if chosen and (len(chosen) >= limit or size + found.size > PAGE_BYTES):
                yield LineagePage(self._slices(chosen), complete=False)
                chosen, size = [], 0
            chosen.append(found)
            size += found.size
        yield LineagePage(self._slices(chosen), complete=True)

    def _newest(self, kinds: Kinds, after: tuple[int, int]) -> Iterator[_Found]:
        states = {int(state) for state, kind in _KIND_OF.items() if kind & kinds}
        members = [member for member in self._sources(kinds) if member >= after[0]]
        limit = max(10, _KEYS_AT_ONCE // max(1, len(members)))
        merged = heapq.merge(*(self._records(member, after, limit) for member in members))
        for _, records in groupby(merged, key=lambda found: found.key):
            *_, newest = records
            if newest.state in states:
                yield newest

    def _sources(self, kinds: Kinds) -> list[int]:
        """The members to be read: those before the newest that took all these kinds up say nothing new."""
        missing, members = kinds, list[int]()
        for member in reversed(range(len(self._ex_ids))):
            members.insert(0, member)
            missing &= ~Kinds(self._head(member).taken_up)
            if not missing:
                break
        return members

    def _records(self, member: int, after: tuple[int, int], limit: int) -> Iterator[_Found]:
        """What a store has behind a key, by key."""
        seq = after[1] if member == after[0] else 0
        is_more = True
        while is_more:
            rows = self._rows(member, "inherited_keys", after=seq, limit=limit)
            is_more = len(rows) == limit
            for row in rows:
                seq = row["seq"]
                key = self._key_of(SliceId(row["slice_id"])) if row["slice_id"] else (member, seq)
                if key > after:
                    yield _Found(key, member, seq, row["state"], row["size"])

    def _slices(self, chosen: Sequence[_Found]) -> list[InheritedSlice]:
        """The slices themselves, in the order given."""
        by_member: dict[int, list[int]] = {}
        for found in chosen:
            by_member.setdefault(found.member, []).append(found.seq)
        read = {
            (member, row["seq"]): self._slice(member, row)
            for member, seqs in by_member.items()
            for row in self._rows(member, "inherited_slices", seqs=orjson.dumps(seqs).decode())
        }
        return [read[found.member, found.seq] for found in chosen]

    def _slice(self, member: int, row: Columns) -> InheritedSlice:
        slice_id = row["slice_id"] or slice_id_of(self._ex_ids[member], Seq(row["seq"]))
        return InheritedSlice(slice_id, row["slicer_id"], row["slicer_order"], row["request"])

    def _head(self, member: int) -> Head:
        heads = self._rows(member, "head")
        return head_of(heads[0]) if heads else Head()

    def _rows(self, member: int, query: str, **parameters: object) -> list[Columns]:
        """What a query finds in the store of a member; nothing if it was never made."""
        ex_id = self._ex_ids[member]
        try:
            with reading(self._place(ex_id)) as reader:
                return reader.rows(query, **parameters) if reader else []
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(_unreadable(ex_id, error)) from error
        except sqlite3.Error as error:
            raise StoreError(_unreadable(ex_id, error)) from error

    def _key_of(self, slice_id: SliceId) -> tuple[int, int]:
        key = self._keys.of(slice_id)
        if key is None:
            message = f"slice {slice_id} was made by no execution of its lineage"
            raise StoreError(message)
        return key


def _unreadable(ex_id: str, error: Exception) -> str:
    return f"the store of execution {ex_id}, which is recovered, cannot be read: {error}"


def _position(row: Columns) -> SlicerRow:
    return SlicerRow(
        row["slicer_id"],
        row["last_order"],
        row["last_request"],
        row["checkpoint"],
        finished=bool(row["finished"]),
    )
