"""The execution's writer: one thread that owns the store, one batch at a time.

A batch that cannot be written now (locked, disk full) is tried again until it can, with the reason reported;
nothing is dropped and nothing overtakes.  A store that a newer generation owns ends the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import structlog

from sliceworks.master.execution.events import (
    Event,
    LoadPending,
    PendingLoaded,
    StoreTroubled,
    Write,
    Written,
)
from sliceworks.master.store.contract import BatchStore
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.errors import StoreUnavailableError

log = structlog.get_logger(__name__)

Job: TypeAlias = Write | LoadPending


class StoreWriter:
    """Carries out Write and LoadPending in order, and tells when they are done."""

    def __init__(self, store: BatchStore, thread: ThreadPoolExecutor, tell: Callable[[Event], None]) -> None:
        self._store = store
        self._thread = thread
        self._tell = tell
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()

    def submit(self, job: Job) -> None:
        """Do this after everything submitted before."""
        self._jobs.put_nowait(job)

    async def run(self) -> None:
        """Work until cancelled; FencedError when this generation was replaced."""
        while True:
            job = await self._jobs.get()
            self._tell(await self._persist(job))
            self._jobs.task_done()

    async def idle(self) -> None:
        """Return when everything submitted is durable."""
        await self._jobs.join()

    async def _persist(self, job: Job) -> Event:
        loop, backoff, reason = asyncio.get_running_loop(), Backoff(), ""
        while True:
            try:
                done = await loop.run_in_executor(self._thread, self._do, job)
            except StoreUnavailableError as error:
                reason = self._report(str(error), reason)
                await asyncio.sleep(backoff.next_seconds())
                continue
            if reason:
                self._tell(StoreTroubled(""))
            return done

    def _do(self, job: Job) -> Event:
        match job:
            case Write(batch):
                self._store.apply(batch)
                return Written(batch.number)
            case LoadPending(after_seq, limit):
                rows = self._store.load_pending(after_seq, limit)
                return PendingLoaded(rows, complete=len(rows) < limit)

    def _report(self, reason: str, reported: str) -> str:
        """Say it once for as long as the reason is the same."""
        if reason != reported:
            log.warning("store_not_writable", error=reason)
            self._tell(StoreTroubled(f"the state store cannot be written: {reason}; trying again"))
        return reason
