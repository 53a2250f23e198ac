"""Slices as the API lists them: read from the stores of executions in threads, never through controllers."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, TypeAlias

from sliceworks.master.store.history import read_counts, read_list
from sliceworks.master.store.lists import SliceList, merge_key
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.records import Page
from sliceworks.master.store.sqlite import MAX_READ_SECONDS, TOO_LONG
from sliceworks.protocol.errors import InvalidError
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

    async def slices(self, ex_id: str, wanted: SliceList) -> list[Record]:
        """Slices of one execution; InvalidError if what is wanted costs too much."""
        return await asyncio.to_thread(read_list, self._place(ex_id), wanted)

    async def errors(self, ex_ids: Sequence[str], page: Page) -> list[Record]:
        """Slices in `error` of all these executions as one list; InvalidError if it costs too much."""
        places = [self._place(ex_id) for ex_id in ex_ids]
        if len(places) == 1:
            return await asyncio.to_thread(read_list, places[0], SliceList(page, SliceState.ERROR))
        return await asyncio.to_thread(_merge, places, page)


def _merge(places: Sequence[StorePlace], page: Page) -> list[Record]:
    end = time.monotonic() + MAX_READ_SECONDS
    ahead = min(_READ_AHEAD, (page.offset + page.size) // max(1, len(places)) + 1)
    ordered = [_errors(place, page, ahead=ahead, end=end) for place in places]
    merged = heapq.merge(*ordered, key=merge_key(page.order))
    return list(islice(merged, page.offset, page.offset + page.size))


def _errors(place: StorePlace, page: Page, *, ahead: int, end: float) -> Iterator[Record]:
    """All of one execution, part by part, so that not much more is read than is wanted."""
    part = replace(page, size=ahead, offset=0)
    while records := read_list(place, SliceList(part, SliceState.ERROR)):
        yield from records
        if len(records) < part.size:
            return
        if time.monotonic() > end:
            raise InvalidError(TOO_LONG)
        part = replace(page, size=_READ_AHEAD, offset=part.offset + part.size)
