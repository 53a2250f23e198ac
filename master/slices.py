"""Slices as the API lists them: read from the stores of executions in threads, never through controllers."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from sliceworks.master.store.execution import store_path
from sliceworks.master.store.history import read_counts, read_errors, read_slices
from sliceworks.protocol.messages import SliceCounts
from sliceworks.protocol.states import SliceState

Record: TypeAlias = dict[str, Any]  # a slice in the shape of the API, made by the store

_READ_AHEAD: Final = 50


class SliceHistory:
    """The slices of all executions under one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    async def counts(self, ex_id: str) -> SliceCounts:
        """Slices by state, from the counters."""
        return await asyncio.to_thread(read_counts, store_path(self._data_dir, ex_id))

    async def slices(
        self, ex_id: str, *, state: SliceState | None, size: int, offset: int, descending: bool
    ) -> list[Record]:
        """Slices of one execution, in the order in which they were made."""
        path = store_path(self._data_dir, ex_id)
        return await asyncio.to_thread(
            read_slices, path, state=state, size=size, offset=offset, descending=descending
        )

    async def errors(
        self, ex_ids: Sequence[str], *, size: int, offset: int, descending: bool
    ) -> list[Record]:
        """Slices in `error` of all these executions, merged by the time they ended."""
        paths = [store_path(self._data_dir, ex_id) for ex_id in ex_ids]
        if len(paths) == 1:
            return await asyncio.to_thread(
                read_errors, paths[0], size=size, offset=offset, descending=descending
            )
        return await asyncio.to_thread(_merge, paths, size=size, offset=offset, descending=descending)


def _merge(paths: Sequence[Path], *, size: int, offset: int, descending: bool) -> list[Record]:
    ordered = [_all_errors(path, descending=descending) for path in paths]
    merged = heapq.merge(*ordered, key=lambda record: str(record["_updated"]), reverse=descending)
    return list(islice(merged, offset, offset + size))


def _all_errors(path: Path, *, descending: bool) -> Iterator[Record]:
    """Page by page, so that no more is read than is wanted."""
    offset = 0
    while page := read_errors(path, size=_READ_AHEAD, offset=offset, descending=descending):
        yield from page
        offset += len(page)
