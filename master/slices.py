"""Slices as the API lists them: read from the stores of executions in threads, never through controllers."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from sliceworks.master.store.history import read_counts, read_errors, read_slices
from sliceworks.master.store.reading import StorePlace
from sliceworks.protocol.messages import SliceCounts
from sliceworks.protocol.states import SliceState

Record: TypeAlias = dict[str, Any]  # a slice in the shape of the API, made by the store

_READ_AHEAD: Final = 50


class SliceHistory:
    """The slices of all executions; `place` says where the store of each lies."""

    def __init__(self, place: Callable[[str], StorePlace]) -> None:
        self._place = place

    async def counts(self, ex_id: str) -> SliceCounts:
        """Slices by state, from the counters."""
        return await asyncio.to_thread(read_counts, self._place(ex_id))

    async def slices(
        self, ex_id: str, *, state: SliceState | None, size: int, offset: int, descending: bool
    ) -> list[Record]:
        """Slices of one execution, in the order in which they were made."""
        place = self._place(ex_id)
        return await asyncio.to_thread(
            read_slices, place, state=state, size=size, offset=offset, descending=descending
        )

    async def errors(
        self, ex_ids: Sequence[str], *, size: int, offset: int, descending: bool
    ) -> list[Record]:
        """Slices in `error` of all these executions, merged by the time they ended."""
        places = [self._place(ex_id) for ex_id in ex_ids]
        if len(places) == 1:
            return await asyncio.to_thread(
                read_errors, places[0], size=size, offset=offset, descending=descending
            )
        return await asyncio.to_thread(_merge, places, size=size, offset=offset, descending=descending)


def _merge(places: Sequence[StorePlace], *, size: int, offset: int, descending: bool) -> list[Record]:
    ordered = [_all_errors(place, descending=descending) for place in places]
    merged = heapq.merge(*ordered, key=lambda record: str(record["_updated"]), reverse=descending)
    return list(islice(merged, offset, offset + size))


def _all_errors(place: StorePlace, *, descending: bool) -> Iterator[Record]:
    """Page by page, so that no more is read than is wanted."""
    offset = 0
    while page := read_errors(place, size=_READ_AHEAD, offset=offset, descending=descending):
        yield from page
        offset += len(page)
