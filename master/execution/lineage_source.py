"""The controller's reader of the lineage: pages in order, read on a thread of its own.

A store that cannot be read now is tried again until it can, with the reason reported; one that is damaged is
told as LineageFailed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import structlog

from sliceworks.master.execution.events import (
    Event,
    LineageFailed,
    LineageLoaded,
    LoadLineage,
    StoreTroubled,
)
from sliceworks.master.store.lineage import Kinds, Lineage, LineagePage
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.errors import StoreError, StoreUnavailableError

log = structlog.get_logger(__name__)


class LineageSource:
    """Carries out LoadLineage."""

    def __init__(self, lineage: Lineage, kinds: Kinds, tell: Callable[[Event], None]) -> None:
        self._lineage = lineage
        self._kinds = kinds
        self._tell = tell
        self._orders: asyncio.Queue[LoadLineage] = asyncio.Queue()
        self._pages: Iterator[LineagePage] | None = None
        self._slices = 0  # read by this generation

    def submit(self, order: LoadLineage) -> None:
        """Read the next page."""
        self._orders.put_nowait(order)

    async def run(self) -> None:
        """Work until cancelled."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="lineage")
        try:
            while True:
                order = await self._orders.get()
                self._tell(await self._answer(thread, order))
        finally:
            thread.shutdown(wait=False)  # reading changes nothing: the end does not wait for it

    async def _answer(self, thread: ThreadPoolExecutor, order: LoadLineage) -> Event:
        loop, backoff, was_away = asyncio.get_running_loop(), Backoff(), False
        while True:
            try:
                loaded = await loop.run_in_executor(thread, self._load, order.after)
            except StoreUnavailableError as error:
                was_away = self._report(error)
                await asyncio.sleep(backoff.next_seconds())
            except StoreError as error:
                log.error("lineage_unreadable", error=str(error))
                return LineageFailed(str(error))
            else:
                if was_away:
                    self._tell(StoreTroubled(""))
                return loaded

    def _load(self, after: str) -> LineageLoaded:
        """Whatever fails ends the walk over the pages; the next one begins behind what was taken up."""
        pages, self._pages = self._pages or self._lineage.pages(self._kinds, after=after), None
        page = next(pages)
        slicers = self._lineage.positions() if page.complete else []
        self._pages = pages
        self._slices += len(page.slices)
        if page.complete:
            log.info("lineage_taken_up", slices=self._slices)
        return LineageLoaded(page.slices, page.complete, slicers)

    def _report(self, error: StoreUnavailableError) -> bool:
        log.warning("lineage_not_readable", error=str(error))
        self._tell(StoreTroubled(f"{error}; trying again"))
        return True
