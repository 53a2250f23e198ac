"""What every engine of the state store promises.  `tests/conformance` holds each of them to it.

The cluster's store: verbs are one transaction each.  Writing: whatever `save` was given before is durable
before what it was given after. Reading: sees every save whose future is done.  Nothing here blocks the loop.

The store of one execution: all methods block; its controller calls them on a thread of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from sliceworks.master.store.batch import Batch, SliceRow, Snapshot
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.records import (
    Change,
    ClusterSnapshot,
    Credentials,
    JobRecord,
    Page,
    StoredExecution,
)
from sliceworks.protocol.states import ExecutionStatus


class ClusterStore(Protocol):
    """Jobs, executions, nodes and totals; written by one master."""

    @property
    def trouble(self) -> str:
        """Why nothing can be written now, "" while all is well; saves are repeated until they succeed."""
        ...

    def save(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        """Make all changes durable, or none.

        Raises (from the future) ConflictError for an AddExecution whose job has a living execution, and
        StoreError if the store was closed before it could be written.
        """
        ...

    def place(self, ex_id: str) -> StorePlace:
        """Where the store of one of its executions lies."""
        ...

    async def load(self) -> ClusterSnapshot:
        """What a starting master has to know."""
        ...

    async def job(self, job_id: str) -> JobRecord:
        """One job; NotFoundError."""
        ...

    async def jobs(self, page: Page, *, active: bool | None = None, deleted: bool = False) -> list[JobRecord]:
        """Jobs, either those that are deleted or the others.

        `active` keeps those that are (or do not say), or those that are not; a deleted job is not.  Raises
        InvalidError if the filter of the page takes too long.
        """
        ...

    async def execution(self, ex_id: str) -> StoredExecution:
        """One execution; NotFoundError."""
        ...

    async def executions(
        self,
        page: Page,
        *,
        statuses: Sequence[ExecutionStatus] | None = None,
        deleted: bool = False,
    ) -> list[StoredExecution]:
        """Executions, of all statuses or of these; either those that are deleted or the others.

        Raises InvalidError if the filter of the page takes too long.
        """
        ...

    async def latest_executions(self, job_ids: Sequence[str]) -> Mapping[str, StoredExecution]:
        """The newest execution of each of these jobs, by job; jobs that never ran are left out."""
        ...

    async def executions_with_errors(self, job_id: str | None = None) -> list[str]:
        """The ex_ids of all executions (of one job) that have had errors, oldest first."""
        ...

    async def lineage(self, ex_id: str) -> list[str]:
        """The ex_ids of all executions that recovered one another with this one, which is one of them.

        The oldest comes first.
        """
        ...

    async def credentials(self, ex_id: str) -> Credentials | None:
        """What its controller has to match; None if there is no such execution."""
        ...


class BatchStore(Protocol):
    """One execution: slices, attempts, counters, positions; written by one generation of its controller.

    Every transaction checks the generation.
    """

    def load(self) -> Snapshot:
        """What an earlier generation left: counters, positions, leases; pending slices are read in pages.

        Raises StoreUnavailableError.
        """
        ...

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        """The next slices in state `pending`, by seq; StoreUnavailableError."""
        ...

    def apply(self, batch: Batch) -> None:
        """Write one batch, whole or not at all; a batch that was written before changes nothing.

        Raises FencedError when a newer generation owns the store, and StoreUnavailableError when it cannot be
        written now, or nobody knows whether it was: the same batch is to be tried again.
        """
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
