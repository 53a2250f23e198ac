"""Group commit: one thread owns the engine's transactions and commits together whatever has queued up.

Order is kept, and each piece of work is all or nothing.  A store that cannot be written (disk full, server
away) is tried again with a growing delay until it can, or until the writer is closed; `trouble` says why in
the meantime.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import structlog

from sliceworks.protocol.errors import FencedError, SliceworksError, StoreError, StoreUnavailableError

log = structlog.get_logger(__name__)

W = TypeVar("W")
W_contra = TypeVar("W_contra", contravariant=True)

Outcome: TypeAlias = SliceworksError | None

MAX_GROUP: Final = 500
_FIRST_DELAY_SECONDS: Final = 0.1
_LAST_DELAY_SECONDS: Final = 5.0


class Transactions(Protocol[W_contra]):
    """The engine's side; called by one thread."""

    def commit(self, group: Sequence[W_contra]) -> list[Outcome]:
        """Apply a group in one transaction; the outcome of each piece of work, None for done.

        Raises StoreUnavailableError when it cannot be written now, or nobody knows whether it was: the same
        group is to be tried again. Raises FencedError when another master has taken the store over.
        """
        ...

    def close(self) -> None:
        """Release the database."""
        ...


@dataclass(frozen=True, slots=True)
class _Job(Generic[W]):
    work: W
    done: asyncio.Future[None]


class GroupWriter(Generic[W]):
    """Applies work in groups; made inside a running loop, which the futures belong to."""

    def __init__(self, transactions: Transactions[W]) -> None:
        self.trouble = ""
        self._transactions = transactions
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job[W] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cluster-store", daemon=True)
        self._thread.start()

    def submit(self, work: W) -> asyncio.Future[None]:
        """Queue a piece of work; the future is done when it is durable, and fails as it did."""
        done: asyncio.Future[None] = self._loop.create_future()
        if self._closed:
            done.set_exception(StoreError("the store is closed"))
        else:
            self._queue.put(_Job(work, done))
        return done

    async def close(self) -> None:
        """Write what is queued, if it can be written at once; then release the database."""
        self._closed = True
        self._closing.set()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._transactions.close()

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._take_group()
            if group:
                self._deliver(group, self._commit(group))

    def _take_group(self) -> tuple[list[_Job[W]], bool]:
        """Wait for work; returns all there is, and whether it was the last."""
        group: list[_Job[W]] = []
        job = self._queue.get()
        with contextlib.suppress(queue.Empty):
            while job is not None:
                group.append(job)
                if len(group) >= MAX_GROUP:
                    return group, False
                job = self._queue.get_nowait()
            return group, True
        return group, False

    def _commit(self, group: Sequence[_Job[W]]) -> list[Outcome]:
        delay = _FIRST_DELAY_SECONDS
        works = [job.work for job in group]
        while True:
            try:
                outcomes = self._transactions.commit(works)
            except FencedError as error:
                return [error for _ in group]
            except StoreUnavailableError as error:
                self._note_trouble(str(error))
            else:
                self.trouble = ""
                return outcomes
            if self._closing.wait(delay):
                return [StoreError(f"the store cannot be written: {self.trouble}") for _ in group]
            delay = min(delay * 2, _LAST_DELAY_SECONDS)

    def _note_trouble(self, reason: str) -> None:
        if self.trouble != reason:
            log.error("store_cannot_be_written", reason=reason)
        self.trouble = reason

    def _deliver(self, group: Sequence[_Job[W]], outcomes: Sequence[Outcome]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, group, outcomes)


def _settle(group: Sequence[_Job[W]], outcomes: Sequence[Outcome]) -> None:
    for job, error in zip(group, outcomes, strict=True):
        if job.done.done():
            continue
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)
