"""What survives every process: the stores of the executions, and that of the cluster.

Two disks: one in dictionaries, and the product's own SQLite stores in a folder.  What was not committed when
its process died was never here.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from sliceworks.master.store.batch import Batch, Head, SliceRow, Snapshot
from sliceworks.master.store.cluster import SqliteClusterStore
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.history import read_counts, read_outcome
from sliceworks.master.store.records import (
    AddExecution,
    AddJob,
    Change,
    ClusterSnapshot,
    Credentials,
    ExecutionRow,
    ForgetNode,
    NodeRecord,
    SaveExecution,
    SaveNode,
    SaveTotals,
    StoredExecution,
    Totals,
)
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import ConflictError, SliceworksError
from sliceworks.protocol.messages import SliceCounts
from sliceworks.protocol.states import TERMINAL_STATUSES, SliceState
from tests.simulation.model_store import ModelFile, ModelStore, StoredSlice

KEY = b"k" * 32


class Store(Protocol):
    """What a controller does with its store."""

    def load(self) -> Snapshot:
        """What an earlier generation left."""
        ...

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        """The next pending slices."""
        ...

    def apply(self, batch: Batch) -> None:
        """Write one batch."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Disk:
    """The stores in dictionaries."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredExecution] = {}  # as of the newest commit, by ex_id, in order
        self._nodes: dict[str, NodeRecord] = {}
        self._totals = Totals()
        self._files: dict[str, ModelFile] = {}

    # --- the cluster's store

    def save(self, changes: Sequence[Change]) -> None:
        """Commit all of it, or raise ConflictError."""
        for change in changes:
            if isinstance(change, AddExecution):
                self._check_one_living(change.row)
        for change in changes:
            self._apply(change)

    def load(self) -> ClusterSnapshot:
        """What a starting master has to know."""
        executions = [
            item
            for item in self.rows.values()
            if item.row.status not in TERMINAL_STATUSES or item.row.controller
        ]
        nodes = [node for _, node in sorted(self._nodes.items())]
        return ClusterSnapshot(tuple(executions), tuple(nodes), self._totals, KEY)

    def credentials(self, ex_id: str) -> Credentials | None:
        """What its controller has to match."""
        item = self.rows.get(ex_id)
        return Credentials(item.row.generation, item.row.secret, item.row.status) if item else None

    def close(self) -> None:
        """Leave nothing behind."""

    def _apply(self, change: Change) -> None:
        match change:
            case AddExecution(row, document):
                self.rows[row.ex_id] = StoredExecution(row, document)
            case SaveExecution(row):
                self.rows[row.ex_id] = StoredExecution(row, self.rows[row.ex_id].document)
            case SaveNode(node):
                self._nodes[node.node_id] = node
            case ForgetNode(node_id):
                self._nodes.pop(node_id, None)
            case SaveTotals(totals):
                self._totals = totals
            case AddJob():
                pass

    def _check_one_living(self, row: ExecutionRow) -> None:
        for item in self.rows.values():
            if item.row.job_id == row.job_id and item.row.status not in TERMINAL_STATUSES:
                message = f"Job {row.job_id} is currently running"
                raise ConflictError(message)

    # --- the executions' stores

    def open(self, ex_id: str, generation: int) -> Store:
        """As a controller of that generation; FencedError if a newer one was here."""
        return ModelStore.open(self._files.setdefault(ex_id, ModelFile()), generation)

    def outcome(self, ex_id: str) -> tuple[str, str] | None:
        """Status and failure, if they are recorded."""
        head = self.head(ex_id)
        return (head.outcome, head.outcome_failure or "") if head.outcome else None

    def counts(self, ex_id: str) -> SliceCounts:
        """Slices by state, from the counters."""
        head = self.head(ex_id)
        return SliceCounts(head.pending, head.start, head.completed, head.error)

    def head(self, ex_id: str) -> Head:
        """The counters and the outcome."""
        file = self._files.get(ex_id)
        return file.head if file else Head()

    def slices(self, ex_id: str) -> list[StoredSlice]:
        """All slices, by seq."""
        file = self._files.get(ex_id)
        return [item for _, item in sorted(file.slices.items())] if file else []

    def positions(self, ex_id: str) -> dict[int, tuple[int, bool]]:
        """Where each slicer stands: its last order, and whether it is finished."""
        file = self._files.get(ex_id)
        return {row[0]: (row[1], bool(row[4])) for row in file.slicers.values()} if file else {}

    def lineage_of(self, ex_id: str) -> list[str]:
        """The executions that recovered one another with this one, which is the newest of them."""
        root = self.rows[ex_id].row.lineage or ex_id
        members = [name for name, item in self.rows.items() if root in (name, item.row.lineage)]
        return members[: members.index(ex_id) + 1]

    def lease(self, ex_id: str, seq: int) -> tuple[SliceState, int] | None:
        """State and epoch of one slice."""
        file = self._files.get(ex_id)
        item = file.slices.get(seq) if file else None
        return (item.state, item.epoch) if item else None

    def differences(self, ex_id: str) -> list[str]:
        """Where counters and rows do not agree, in words."""
        counted = [0] * len(SliceState)
        newest: dict[int, int] = {}
        for item in self.slices(ex_id):
            counted[item.state] += 1
            if item.slice_id is None:
                newest[item.slicer_id] = max(newest.get(item.slicer_id, 0), item.order)
        counts, rows = self.counts(ex_id), SliceCounts(*counted)
        found = [] if counts == rows else [f"the counters say {counts}, the rows {rows}"]
        for slicer_id, (order, _) in self.positions(ex_id).items():
            inherited = self.rows[ex_id].row.lineage and slicer_id not in newest
            if newest.get(slicer_id, 0) != order and not inherited:
                found.append(f"slicer {slicer_id} stands at {order}, its newest slice is another")
        return found


class SqliteDisk(Disk):
    """The product's SQLite stores, in a folder of memory that is removed at the end."""

    def __init__(self) -> None:
        super().__init__()
        parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="sliceworks-simulation-", dir=parent))
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        opening = SqliteClusterStore.open(self._folder / "cluster.db", durability="process")
        self._cluster = self._runner.run(self._stack.enter_async_context(opening))
        self._readers: dict[str, sqlite3.Connection] = {}

    def save(self, changes: Sequence[Change]) -> None:
        """See `Disk`; the rows beside are what was committed, for the checks."""
        self._runner.run(self._save(changes))
        for change in changes:
            self._apply(change)

    def load(self) -> ClusterSnapshot:
        """See `Disk`."""
        return self._runner.run(self._cluster.load())

    def credentials(self, ex_id: str) -> Credentials | None:
        """See `Disk`."""
        return self._runner.run(self._cluster.credentials(ex_id))

    def close(self) -> None:
        """See `Disk`."""
        for reader in self._readers.values():
            reader.close()
        self._runner.run(self._stack.aclose())
        self._runner.close()
        shutil.rmtree(self._folder)

    def open(self, ex_id: str, generation: int) -> Store:
        """See `Disk`."""
        path = store_path(self._folder, ex_id)
        return ExecutionStore.open(path, ex_id=ex_id, generation=generation, durability="process")

    def outcome(self, ex_id: str) -> tuple[str, str] | None:
        """See `Disk`."""
        stored = read_outcome(store_path(self._folder, ex_id))
        return (stored.status, stored.failure) if stored else None

    def counts(self, ex_id: str) -> SliceCounts:
        """See `Disk`."""
        return read_counts(store_path(self._folder, ex_id))

    def head(self, ex_id: str) -> Head:
        """See `Disk`."""
        reader = self._reader(ex_id)
        if reader is None:
            return Head()
        row = reader.execute("SELECT * FROM execution").fetchone()
        return Head(**{name: row[name] for name in Head.__slots__}) if row else Head()

    def slices(self, ex_id: str) -> list[StoredSlice]:
        """See `Disk`."""
        reader = self._reader(ex_id)
        if reader is None:
            return []
        return [
            StoredSlice(
                row["seq"],
                row["slicer_id"],
                row["slicer_order"],
                row["request"],
                SliceState(row["state"]),
                row["epoch"],
                row["node"],
                row["op_errors"],
                row["losses"],
                row["reason"],
                row["slice_id"],
            )
            for row in reader.execute("SELECT * FROM slices ORDER BY seq")
        ]

    def positions(self, ex_id: str) -> dict[int, tuple[int, bool]]:
        """See `Disk`."""
        reader = self._reader(ex_id)
        rows = reader.execute("SELECT slicer_id, last_order, finished FROM slicers") if reader else ()
        return {row[0]: (row[1], bool(row[2])) for row in rows}

    def lease(self, ex_id: str, seq: int) -> tuple[SliceState, int] | None:
        """See `Disk`."""
        reader = self._reader(ex_id)
        query = "SELECT state, epoch FROM slices WHERE seq = ?"
        row = reader.execute(query, (seq,)).fetchone() if reader else None
        return (SliceState(row[0]), row[1]) if row else None

    def differences(self, ex_id: str) -> list[str]:
        """See `Disk`."""
        path = store_path(self._folder, ex_id)
        return list(verify_execution(path).differences) if path.exists() else []

    def _reader(self, ex_id: str) -> sqlite3.Connection | None:
        path = store_path(self._folder, ex_id)
        if ex_id not in self._readers and path.exists():
            reader = sqlite3.connect(path, isolation_level=None)
            reader.row_factory = sqlite3.Row
            self._readers[ex_id] = reader
        return self._readers.get(ex_id)

    async def _save(self, changes: Sequence[Change]) -> None:
        await self._cluster.save(changes)


def save_all(disk: Disk, changes: Sequence[Change]) -> SliceworksError | None:
    """Commit; the error if the store refuses it."""
    try:
        disk.save(changes)
    except SliceworksError as error:
        return error
    return None
