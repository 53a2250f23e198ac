"""Where the store of an execution lies in PostgreSQL, and reading it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from sliceworks.master.store.postgres import Connection, ReadPool
from sliceworks.master.store.reading import Reader, directed
from sliceworks.master.store.rows import Columns
from sliceworks.master.store.sql_files import load_queries
from sliceworks.protocol.ids import ExId

_SQL: Final = load_queries("postgres_history.sql")


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """A `Place`: the rows of one execution, in the database of this pool."""

    pool: ReadPool
    ex_id: ExId

    @contextmanager
    def reading(self) -> Iterator[Reader | None]:
        """See `Place`."""
        with self.pool.snapshot() as connection:
            found = connection.execute(_SQL["key"], {"ex_id": self.ex_id}).fetchall()
            yield _RowReader(connection, found[0]["ex"]) if found else None


class _RowReader:
    def __init__(self, connection: Connection, ex: int) -> None:
        self._connection = connection
        self._ex = ex

    def rows(self, query: str, *, descending: bool = False, **parameters: object) -> list[Columns]:
        statement = directed(_SQL[query], descending=descending)
        values: dict[str, Any] = {"ex": self._ex, **parameters}
        return cast("list[Columns]", self._connection.execute(statement.encode(), values).fetchall())
