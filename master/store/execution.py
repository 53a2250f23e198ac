"""The store of one execution on SQLite: a file of its own, written by its controller alone.

Every transaction begins with the head row, which matches only this generation and the batch before: a
controller that was replaced writes nothing (FencedError), and a batch whose commit had an unknown outcome is
recognized when it is repeated.  See `contract.py` for what each method promises.
"""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Final

from sliceworks.master.store.batch import Batch, Group, Head, NodeRow, Row, SliceRow, SlicerRow, Snapshot
from sliceworks.master.store.sql_files import load_queries, schema_version
from sliceworks.master.store.sqlite import Durability, open_database, unavailable_raised
from sliceworks.protocol.errors import FencedError

MIGRATIONS: Final = "execution_schema.sql"
SCHEMA: Final = schema_version(MIGRATIONS)

_SQL: Final = load_queries("execution.sql")
_GROUP_ORDER: Final[tuple[tuple[str, str], ...]] = (
    ("inserts", "insert_slices"),
    ("copies", "insert_copies"),
    ("completions", "complete_first"),
    ("ends", "end_slices"),
    ("first_attempts", "end_first_attempts"),
    ("later_attempts", "end_attempts"),
    ("first_leases", "lease_first"),
    ("later_leases", "lease_again"),
    ("new_attempts", "insert_attempts"),
)


def store_path(data_dir: Path, ex_id: str) -> Path:
    """Where the store of an execution lies."""
    return data_dir / "ex" / f"{ex_id}.db"


class ExecutionStore:
    """A `BatchStore`; made by `open`, which fences out every older generation."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self._connection = connection
        self._generation = generation

    @classmethod
    def open(cls, path: Path, *, ex_id: str, generation: int, durability: Durability) -> ExecutionStore:
        """Open or make the store as `generation`; FencedError if that or a newer one was here before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = open_database(path, MIGRATIONS, durability)
        store = cls(connection, generation)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_SQL["create"], (ex_id,))
        taken = connection.execute(_SQL["take_over"], {"generation": generation}).rowcount
        connection.execute("COMMIT")
        if not taken:
            connection.close()
            raise FencedError(store._fenced(path))
        return store

    def load(self) -> Snapshot:
        """See the contract."""
        head, batch = self._load_head()
        return Snapshot(
            batch=batch,
            head=head,
            last_seq=self._rows("read_last_seq")[0][0],
            slicers=[
                SlicerRow(slicer_id, last_order, last_request, checkpoint, finished=bool(finished))
                for slicer_id, last_order, last_request, checkpoint, finished in self._rows("read_slicers")
            ],
            nodes=[NodeRow(*row) for row in self._rows("read_nodes")],
            leases=[SliceRow(*row) for row in self._rows("read_leases", head.floor_seq)],
            operations=self._rows("read_operation_totals"),
            last_copy=self._rows("read_slice_id", head.copied)[0][0] if head.copied else "",
        )

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        """See the contract."""
        with unavailable_raised():
            return [SliceRow(*row) for row in self._rows("read_pending", after_seq, limit)]

    def apply(self, batch: Batch) -> None:
        """See the contract."""
        with unavailable_raised():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if self._write_head(batch):
                    self._write_rows(batch)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """See the contract."""
        self._connection.close()

    def _write_head(self, batch: Batch) -> bool:
        values = {**batch.head, "batch": batch.number, "generation": self._generation}
        if self._connection.execute(_SQL["head"], values).rowcount:
            return True
        generation, written = self._connection.execute(_SQL["read_generation"]).fetchone()
        if generation == self._generation and written == batch.number:
            return False
        raise FencedError(self._fenced(None))

    def _write_rows(self, batch: Batch) -> None:
        self._many("put_nodes", batch.nodes)
        for group in batch.groups:
            self._write_group(group)
        self._many("put_slicers", batch.slicers)
        self._many("put_operation_totals", batch.operations)

    def _write_group(self, group: Group) -> None:
        for attribute, query in _GROUP_ORDER:
            rows = getattr(group, attribute)
            self._many(query, _runs(rows) if attribute == "first_leases" else rows)

    def _rows(self, query: str, *parameters: int) -> list[Row]:
        return self._connection.execute(_SQL[query], parameters).fetchall()

    def _many(self, query: str, rows: list[Row]) -> None:
        if rows:
            self._connection.executemany(_SQL[query], rows)

    def _load_head(self) -> tuple[Head, int]:
        cursor = self._connection.execute(_SQL["read_execution"])
        names = [column[0] for column in cursor.description]
        values = dict(zip(names, cursor.fetchone(), strict=True))
        return Head(**{field.name: values[field.name] for field in fields(Head)}), values["batch"]

    def _fenced(self, path: Path | None) -> str:
        where = f" of {path}" if path else ""
        return f"generation {self._generation}{where} was replaced by a newer controller; this one ends"


def _runs(leases: list[Row]) -> list[Row]:
    """Leases of neighbors to one node at one time as one row: (node, started_ms, updated_ms, first, last).

    Slices are leased in order, so that one statement serves hundreds of them (docs/adr/0016-fast.md).
    """
    runs: list[Row] = []
    head: Row = ()
    first = last = 0
    for lease in leases:
        *same, seq = lease
        if seq == last + 1 and head == tuple(same):
            last = seq
            continue
        if head:
            runs.append((*head, first, last))
        head, first, last = tuple(same), seq, seq
    return [*runs, (*head, first, last)] if head else runs
