"""The store of one execution on PostgreSQL: rows keyed by a small integer, written by its controller alone.

Every transaction begins with the head row, which matches only this generation and the batch before: a
controller that was replaced writes nothing (FencedError), and a batch whose commit had an unknown outcome is
recognized when it is repeated.  See `contract.py` for what each method promises.
"""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Any, Final

from psycopg import errors

from sliceworks.master.store.batch import Batch, Group, Head, NodeRow, Row, SliceRow, SlicerRow, Snapshot
from sliceworks.master.store.postgres import Connection, Session, clean, connect_writer, migrate
from sliceworks.master.store.postgres_arrays import columns_of, register_arrays
from sliceworks.master.store.sql_files import load_queries
from sliceworks.master.store.sqlite import Durability
from sliceworks.protocol.errors import FencedError

_SQL: Final = load_queries("postgres_execution.sql")
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


class PostgresExecutionStore:
    """A `BatchStore`; made by `open`, which fences out every older generation."""

    def __init__(self, session: Session, ex: int, generation: int) -> None:
        self._session = session
        self._ex = ex
        self._generation = generation

    @classmethod
    def open(cls, url: str, *, ex_id: str, generation: int, durability: Durability) -> PostgresExecutionStore:
        """Open or make the store as `generation`; FencedError if that or a newer one was here before.

        Raises StoreUnavailableError while the server cannot be reached.
        """
        session = Session(partial(_connect, url, durability))
        with session.connection() as connection:
            connection.execute(_SQL["create"], (ex_id,))
            values = {"ex_id": ex_id, "generation": generation}
            taken = connection.execute(_SQL["take_over"], values).fetchall()
        if not taken:
            session.close()
            raise FencedError(_fenced(generation))
        return cls(session, taken[0]["ex"], generation)

    def load(self) -> Snapshot:
        """See the contract."""
        with self._session.connection() as connection:
            values = self._rows(connection, "read_execution")[0]
            head = Head(**{field.name: values[field.name] for field in fields(Head)})
            leases = self._rows(connection, "read_leases", floor_seq=head.floor_seq)
            return Snapshot(
                batch=values["batch"],
                head=head,
                last_seq=self._rows(connection, "read_last_seq")[0]["seq"],
                slicers=[SlicerRow(**row) for row in self._rows(connection, "read_slicers")],
                nodes=[NodeRow(**row) for row in self._rows(connection, "read_nodes")],
                leases=[SliceRow(**row) for row in leases],
                operations=[tuple(row.values()) for row in self._rows(connection, "read_operation_totals")],
                last_copy=self._slice_id(connection, head.copied) if head.copied else "",
            )

    def load_pending(self, after_seq: int, limit: int) -> list[SliceRow]:
        """See the contract."""
        with self._session.connection() as connection:
            rows = self._rows(connection, "read_pending", after_seq=after_seq, limit=limit)
            return [SliceRow(**row) for row in rows]

    def apply(self, batch: Batch) -> None:
        """See the contract."""
        try:
            self._write(batch)
        except errors.DivisionByZero:
            self._check_repeated(batch)

    def close(self) -> None:
        """See the contract."""
        self._session.close()

    def _write(self, batch: Batch) -> None:
        """All statements are sent at once; the first fails, and with it all others, unless it is our turn."""
        head = {name: clean(value) for name, value in batch.head.items()}
        turn = {"ex": self._ex, "batch": batch.number, "generation": self._generation}
        with self._session.connection() as connection, connection.pipeline(), connection.transaction():
            connection.execute(_SQL["head"], head | turn, prepare=True)
            self._write_rows(connection, batch)

    def _check_repeated(self, batch: Batch) -> None:
        """It was not our turn: this very batch was written before, or there is a newer generation."""
        with self._session.connection() as connection:
            found = self._rows(connection, "read_generation")[0]
        if (found["generation"], found["batch"]) != (self._generation, batch.number):
            raise FencedError(_fenced(self._generation))

    def _write_rows(self, connection: Connection, batch: Batch) -> None:
        self._each(connection, "put_nodes", batch.nodes)
        for group in batch.groups:
            self._write_group(connection, group)
        self._each(connection, "put_slicers", batch.slicers)
        self._each(connection, "put_operation_totals", batch.operations)

    def _write_group(self, connection: Connection, group: Group) -> None:
        for attribute, query in _GROUP_ORDER:
            rows: list[Row] = getattr(group, attribute)
            if rows:
                connection.execute(_SQL[query], [self._ex, *columns_of(rows)], prepare=True)

    def _each(self, connection: Connection, query: str, rows: list[Row]) -> None:
        """For the few rows that are no slices."""
        for row in rows:
            connection.execute(_SQL[query], [self._ex, *map(clean, row)], prepare=True)

    def _slice_id(self, connection: Connection, seq: int) -> str:
        slice_id: str = self._rows(connection, "read_slice_id", seq=seq)[0]["slice_id"]
        return slice_id

    def _rows(self, connection: Connection, query: str, **values: int) -> list[dict[str, Any]]:
        return connection.execute(_SQL[query], {"ex": self._ex, **values}).fetchall()


def _connect(url: str, durability: Durability) -> Connection:
    connection = connect_writer(url, durability)
    try:
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    register_arrays(connection)
    return connection


def _fenced(generation: int) -> str:
    return f"generation {generation} was replaced by a newer controller; this one ends"
