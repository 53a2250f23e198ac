"""The cluster store on PostgreSQL: a writer thread with group commit, readers with connections of their own.

See `contract.py` for what each verb promises.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast

from psycopg import errors

from sliceworks.master.search.dialects import POSTGRES
from sliceworks.master.store.budget import within_budget
from sliceworks.master.store.changes import OneLivingError, apply_all
from sliceworks.master.store.columns import POSTGRES_EXECUTIONS, POSTGRES_JOBS
from sliceworks.master.store.group_writer import GroupWriter
from sliceworks.master.store.ordering import listed
from sliceworks.master.store.postgres import Connection, ReadPool, clean, time_limited
from sliceworks.master.store.postgres_history import DatabasePlace
from sliceworks.master.store.postgres_transactions import PostgresTransactions
from sliceworks.master.store.records import (
    Change,
    ClusterSnapshot,
    Credentials,
    JobRecord,
    Page,
    StoredExecution,
)
from sliceworks.master.store.rows import (
    Columns,
    asset_of,
    execution_of,
    job_of,
    node_of,
    totals_of,
)
from sliceworks.master.store.sql_files import load_queries
from sliceworks.master.store.sqlite import Durability
from sliceworks.protocol.errors import FencedError, NotFoundError
from sliceworks.protocol.ids import ExId
from sliceworks.protocol.states import ExecutionStatus

T = TypeVar("T")
Rows = list[dict[str, Any]]

_SQL: Final = load_queries("postgres_cluster.sql")
_READERS: Final = 2
_ONE_LIVING: Final = "executions_living"


class PostgresClusterStore:
    """A `ClusterStore`; obtained from `open`."""

    def __init__(self, url: str, transactions: PostgresTransactions[Sequence[Change]]) -> None:
        self._writer = GroupWriter[Sequence[Change]](transactions)
        self._pool = ReadPool(url)
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="cluster-read")
        self._fenced: asyncio.Future[FencedError] = asyncio.get_running_loop().create_future()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str, *, durability: Durability) -> AsyncIterator[PostgresClusterStore]:
        """Take the database over; the context fails with FencedError when another master does so.

        Raises ConfigError while another master has it, StoreError if a newer version wrote it, and
        StoreUnavailableError if the server cannot be reached.
        """
        transactions = await asyncio.to_thread(PostgresTransactions.open, url, durability, _apply_all)
        store = cls(url, transactions)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(store._until_fenced(), name="cluster-store-owner")
                yield store
                watch.cancel()
        finally:
            await store._close()

    @property
    def trouble(self) -> str:
        """See the contract."""
        return self._writer.trouble

    def save(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        """See the contract."""
        done = self._writer.submit(changes)
        done.add_done_callback(self._note_fenced)
        return done

    def place(self, ex_id: str) -> DatabasePlace:
        """See the contract."""
        return DatabasePlace(self._pool, ExId(ex_id))

    async def load(self) -> ClusterSnapshot:
        """See the contract."""
        return await self._read(_load)

    async def job(self, job_id: str) -> JobRecord:
        """See the contract."""
        found = await self._rows("job", {"job_id": job_id})
        if not found:
            message = f"Could not find job {job_id}"
            raise NotFoundError(message)
        return job_of(found[0])

    async def jobs(self, page: Page, *, active: bool | None = None, deleted: bool = False) -> list[JobRecord]:
        """See the contract."""
        given = {"active": active, "deleted": deleted}
        statement, values = listed(_SQL["jobs"], page, dialect=POSTGRES, columns=POSTGRES_JOBS)
        return await self._found(job_of, statement, {**values, **given})

    async def execution(self, ex_id: str) -> StoredExecution:
        """See the contract."""
        found = await self._rows("execution", {"ex_id": ex_id})
        if not found:
            message = f"Could not find execution {ex_id}"
            raise NotFoundError(message)
        return execution_of(found[0])

    async def executions(
        self,
        page: Page,
        *,
        statuses: Sequence[ExecutionStatus] | None = None,
        deleted: bool = False,
    ) -> list[StoredExecution]:
        """See the contract."""
        wanted = None if statuses is None else [status.value for status in statuses]
        given = {"statuses": wanted, "deleted": deleted}
        statement, values = listed(_SQL["executions"], page, dialect=POSTGRES, columns=POSTGRES_EXECUTIONS)
        return await self._found(execution_of, statement, {**values, **given})

    async def latest_executions(self, job_ids: Sequence[str]) -> Mapping[str, StoredExecution]:
        """See the contract."""
        found = await self._rows("latest_executions", {"job_ids": list(job_ids)})
        return {row["job_id"]: execution_of(row) for row in found}

    async def executions_with_errors(self, job_id: str | None = None) -> list[str]:
        """See the contract."""
        return [row["ex_id"] for row in await self._rows("executions_with_errors", {"job_id": job_id})]

    async def lineage(self, ex_id: str) -> list[str]:
        """See the contract."""
        return [row["ex_id"] for row in await self._rows("lineage", {"ex_id": ex_id})]

    async def credentials(self, ex_id: str) -> Credentials | None:
        """See the contract."""
        found = await self._rows("credentials", {"ex_id": ex_id})
        if not found:
            return None
        return Credentials(found[0]["generation"], found[0]["secret"], ExecutionStatus(found[0]["status"]))

    async def _found(
        self, record_of: Callable[[Columns], T], statement: str, values: Mapping[str, object]
    ) -> list[T]:
        """The records of a list; made in the reader's thread."""

        def work(connection: Connection) -> list[T]:
            found = connection.cursor().stream(statement.encode(), values)
            ended = contextlib.closing(
                cast("Generator[dict[str, Any], None, None]", found)
            )  # which its type hides
            with time_limited(connection), ended as rows:
                return [record_of(row) for row in within_budget(rows)]

        return await self._read(work)

    async def _rows(self, query: str, values: Mapping[str, Any]) -> Rows:
        statement = _SQL[query]
        given = {name: clean(value) for name, value in values.items()}
        return await self._read(lambda connection: connection.execute(statement, given).fetchall())

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_snapshot, work)

    def _in_snapshot(self, work: Callable[[Connection], T]) -> T:
        with self._pool.snapshot() as connection:
            return work(connection)

    def _note_fenced(self, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, FencedError) and not self._fenced.done():
            self._fenced.set_result(error)

    async def _until_fenced(self) -> None:
        raise await self._fenced

    async def _close(self) -> None:
        await self._writer.close()
        await asyncio.to_thread(self._threads.shutdown)
        self._pool.close()


def _load(connection: Connection) -> ClusterSnapshot:
    executions = connection.execute(_SQL["load_executions"]).fetchall()
    nodes = connection.execute(_SQL["load_nodes"]).fetchall()
    assets = connection.execute(_SQL["load_assets"]).fetchall()
    cluster = connection.execute(_SQL["load_cluster"]).fetchall()[0]
    return ClusterSnapshot(
        executions=tuple(execution_of(row) for row in executions),
        nodes=tuple(node_of(row) for row in nodes),
        totals=totals_of(cluster),
        key=cluster["key"],
        assets=tuple(asset_of(row) for row in assets),
    )


class _Statements:
    """`Statements` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, name: str, values: Mapping[str, object]) -> int:
        """See `Statements`."""
        try:
            return self._connection.execute(_SQL[name], _cleaned(values)).rowcount
        except errors.UniqueViolation as error:
            if error.diag.constraint_name == _ONE_LIVING:
                raise OneLivingError from error
            raise

    def first(self, name: str, values: Mapping[str, object]) -> Columns | None:
        """See `Statements`."""
        return self._connection.execute(_SQL[name], _cleaned(values)).fetchone()


def _apply_all(connection: Connection, changes: Sequence[Change]) -> None:
    apply_all(_Statements(connection), changes)


def _cleaned(columns: Mapping[str, object]) -> dict[str, object]:
    return {name: clean(value) for name, value in columns.items()}
