"""The cluster store on SQLite: `cluster.db`, a writer thread with group commit, readers that never wait.

See `contract.py` for what each verb promises.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from sliceworks.master.search.dialects import SQLITE
from sliceworks.master.store.budget import within_budget
from sliceworks.master.store.changes import OneLivingError, apply_all
from sliceworks.master.store.columns import SQLITE_EXECUTIONS, SQLITE_JOBS
from sliceworks.master.store.execution import store_path
from sliceworks.master.store.group_writer import GroupWriter
from sliceworks.master.store.ordering import listed
from sliceworks.master.store.reading import StorePlace
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
from sliceworks.master.store.sqlite import Durability, open_database, open_for_reading, time_limited
from sliceworks.master.store.sqlite_transactions import SqliteTransactions
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.states import ExecutionStatus

T = TypeVar("T")

_SQL: Final = load_queries("cluster.sql")
_READERS: Final = 2
_ONE_LIVING: Final = "UNIQUE constraint failed: executions.job_id"


class SqliteClusterStore:
    """A `ClusterStore`; obtained from `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._writer = GroupWriter[Sequence[Change]](SqliteTransactions(connection, _apply_all))
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="cluster-read")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, path: Path, *, durability: Durability) -> AsyncIterator[SqliteClusterStore]:
        """Open or make `cluster.db`; StoreError if a newer version wrote it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = await asyncio.to_thread(open_database, path, "cluster_schema.sql", durability)
        store = cls(path, connection)
        try:
            yield store
        finally:
            await store._close()

    @property
    def trouble(self) -> str:
        """See the contract."""
        return self._writer.trouble

    def save(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        """See the contract."""
        return self._writer.submit(changes)

    def place(self, ex_id: str) -> StorePlace:
        """See the contract."""
        return store_path(self._path.parent, ex_id)

    async def load(self) -> ClusterSnapshot:
        """See the contract."""
        return await self._read(_load)

    async def job(self, job_id: str) -> JobRecord:
        """See the contract."""
        found = await self._rows("job", (job_id,))
        if not found:
            message = f"Could not find job {job_id}"
            raise NotFoundError(message)
        return job_of(found[0])

    async def jobs(self, page: Page, *, active: bool | None = None, deleted: bool = False) -> list[JobRecord]:
        """See the contract."""
        given = {"active": active, "deleted": deleted}
        statement, values = listed(_SQL["jobs"], page, dialect=SQLITE, columns=SQLITE_JOBS)
        return await self._found(job_of, statement, {**values, **given})

    async def execution(self, ex_id: str) -> StoredExecution:
        """See the contract."""
        found = await self._rows("execution", (ex_id,))
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
        wanted = None if statuses is None else orjson.dumps(statuses).decode()
        given = {"statuses": wanted, "deleted": deleted}
        statement, values = listed(_SQL["executions"], page, dialect=SQLITE, columns=SQLITE_EXECUTIONS)
        return await self._found(execution_of, statement, {**values, **given})

    async def latest_executions(self, job_ids: Sequence[str]) -> Mapping[str, StoredExecution]:
        """See the contract."""
        rows = await self._rows("latest_executions", (orjson.dumps(job_ids).decode(),))
        return {row["job_id"]: execution_of(row) for row in rows}

    async def executions_with_errors(self, job_id: str | None = None) -> list[str]:
        """See the contract."""
        return [row["ex_id"] for row in await self._rows("executions_with_errors", {"job_id": job_id})]

    async def lineage(self, ex_id: str) -> list[str]:
        """See the contract."""
        return [row["ex_id"] for row in await self._rows("lineage", {"ex_id": ex_id})]

    async def credentials(self, ex_id: str) -> Credentials | None:
        """See the contract."""
        found = await self._rows("credentials", (ex_id,))
        if not found:
            return None
        return Credentials(found[0]["generation"], found[0]["secret"], ExecutionStatus(found[0]["status"]))

    async def _rows(self, query: str, values: Any) -> list[sqlite3.Row]:
        return await self._read(lambda connection: connection.execute(_SQL[query], values).fetchall())

    async def _found(
        self, record_of: Callable[[Columns], T], statement: str, values: Mapping[str, object]
    ) -> list[T]:
        """The records of a list; made in the reader's thread."""

        def work(connection: sqlite3.Connection) -> list[T]:
            with time_limited(connection):
                return [record_of(row) for row in within_budget(connection.execute(statement, values))]

        return await self._read(work)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: work(self._reader()))

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_for_reading(self._path)
            self._connections.append(connection)
        return connection

    async def _close(self) -> None:
        await self._writer.close()
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()


def _load(connection: sqlite3.Connection) -> ClusterSnapshot:
    connection.execute("BEGIN")
    try:
        executions = connection.execute(_SQL["load_executions"]).fetchall()
        nodes = connection.execute(_SQL["load_nodes"]).fetchall()
        assets = connection.execute(_SQL["load_assets"]).fetchall()
        cluster = connection.execute(_SQL["load_cluster"]).fetchone()
    finally:
        connection.execute("COMMIT")
    return ClusterSnapshot(
        executions=tuple(execution_of(row) for row in executions),
        nodes=tuple(node_of(row) for row in nodes),
        totals=totals_of(cluster),
        key=cluster["key"],
        assets=tuple(asset_of(row) for row in assets),
    )


class _Statements:
    """`Statements` on a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, name: str, values: Mapping[str, object]) -> int:
        """See `Statements`."""
        try:
            return self._connection.execute(_SQL[name], dict(values)).rowcount
        except sqlite3.IntegrityError as error:
            if str(error) == _ONE_LIVING:
                raise OneLivingError from error
            raise

    def first(self, name: str, values: Mapping[str, object]) -> Columns | None:
        """See `Statements`."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        found: sqlite3.Row | None = cursor.execute(_SQL[name], dict(values)).fetchone()
        return found


def _apply_all(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    apply_all(_Statements(connection), changes)
