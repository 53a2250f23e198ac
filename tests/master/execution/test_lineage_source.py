"""The controller's reader of a lineage: stores that are away are waited for, damaged ones are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.lineage_source import LineageSource
from sliceworks.master.store.batch import SlicerRow
from sliceworks.master.store.lineage import InheritedSlice, Kinds, LineagePage
from sliceworks.protocol.errors import StoreError, StoreUnavailableError

SLICES = [InheritedSlice(f"id {n}", 0, n, b"{}") for n in range(1, 4)]


class PlayedLineage:
    """Pages of one slice; the reads named fail."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.asked_after: list[str] = []

    def positions(self) -> list[SlicerRow]:
        return [SlicerRow(0, 3, b"{}", None, finished=False)]

    def pages(self, kinds: Kinds, *, after: str) -> Iterator[LineagePage]:
        assert kinds is Kinds.ALL
        self.asked_after.append(after)
        ids = [""] + [item.slice_id for item in SLICES]
        rest = SLICES[ids.index(after) :]
        for item in rest:
            failure = self.failures.pop(0) if self.failures else None
            if failure:
                raise failure
            yield LineagePage([item], complete=item is SLICES[-1])


async def read(lineage: Any) -> list[ev.Event]:
    """What is told until the lineage is read, or cannot be."""
    told: asyncio.Queue[ev.Event] = asyncio.Queue()
    source = LineageSource(lineage, Kinds.ALL, told.put_nowait)
    found: list[ev.Event] = []
    after = ""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(source.run(), name="source")
        source.submit(ev.LoadLineage(after))
        while not isinstance(found[-1] if found else None, ev.LineageFailed):
            found.append(await told.get())
            if isinstance(found[-1], ev.LineageLoaded):
                if found[-1].complete:
                    break
                source.submit(ev.LoadLineage(found[-1].slices[-1].slice_id))
        task.cancel()
    return found


async def test_pages_come_in_order_and_positions_with_the_last() -> None:
    lineage = PlayedLineage()
    pages = [event for event in await read(lineage) if isinstance(event, ev.LineageLoaded)]
    assert [page.slices for page in pages] == [[item] for item in SLICES]
    assert [len(page.slicers) for page in pages] == [0, 0, 1]
    assert lineage.asked_after == [""], "one walk over the lineage is enough"


async def test_a_store_that_is_away_is_tried_again_behind_what_was_read() -> None:
    lineage = PlayedLineage(None, StoreUnavailableError("it is away"), None, None)
    events = await read(lineage)
    troubles = [event.reason for event in events if isinstance(event, ev.StoreTroubled)]
    pages = [event for event in events if isinstance(event, ev.LineageLoaded)]
    assert troubles == ["it is away; trying again", ""]
    assert [page.slices for page in pages] == [[item] for item in SLICES]
    assert lineage.asked_after == ["", "id 1"]


async def test_a_damaged_store_is_told() -> None:
    assert await read(PlayedLineage(StoreError("it is damaged"))) == [ev.LineageFailed("it is damaged")]
