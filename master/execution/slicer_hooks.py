"""Tells slicers what the controller says of their slices, in the slicer child: in order, beside the slicing.

A hook that is slow holds up the making of slices (`has_room`), so that what waits to be told stays bounded.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import orjson

from sliceworks.operations.reader import SliceEnd, SliceInfo
from sliceworks.operations.slicers import SlicerSet
from sliceworks.protocol.messages import SliceNews, StatisticsNews
from sliceworks.protocol.states import SliceState

MAX_WAITING: Final = 10_000
BREATH_SLICES: Final = 100


class HookRunner:
    """Calls hooks one after the other while `run` runs."""

    def __init__(self, slicers: SlicerSet) -> None:
        self._slicers = slicers
        self._waiting: asyncio.Queue[SliceNews | StatisticsNews] = asyncio.Queue()
        self._waiting_slices = 0
        self._room = asyncio.Event()
        self._room.set()

    def tell(self, news: SliceNews | StatisticsNews) -> None:
        """Queue what is to be told."""
        self._waiting.put_nowait(news)
        if isinstance(news, SliceNews):
            self._waiting_slices += len(news.slice_ids)
        if self._waiting_slices > MAX_WAITING:
            self._room.clear()

    async def has_room(self) -> None:
        """Wait until not too much is waiting."""
        await self._room.wait()

    async def run(self) -> None:
        """Call hooks, for ever."""
        while True:
            await self._tell_one(await self._waiting.get())
            self._waiting.task_done()

    async def told(self) -> None:
        """Wait until everything is told."""
        await self._waiting.join()

    async def _tell_one(self, news: SliceNews | StatisticsNews) -> None:
        if isinstance(news, StatisticsNews):
            await self._slicers.tell_statistics(msgspec.structs.asdict(news.statistics))
            return
        columns = zip(news.slice_ids, news.slicer_ids, news.orders, news.requests, strict=True)
        for number, (slice_id, slicer_id, order, request) in enumerate(columns):
            info = SliceInfo(slice_id, slicer_id, order, orjson.loads(request))
            await self._slicers.tell_slice(news.what, _told(info, news.state))
            if number % BREATH_SLICES == 0:
                await asyncio.sleep(0)
        self._waiting_slices -= len(news.slice_ids)
        if self._waiting_slices <= MAX_WAITING:
            self._room.set()


def _told(info: SliceInfo, state: int) -> SliceInfo | SliceEnd:
    match state:
        case SliceState.COMPLETED:
            return SliceEnd(info, "completed")
        case SliceState.ERROR:
            return SliceEnd(info, "error")
        case _:
            return info
