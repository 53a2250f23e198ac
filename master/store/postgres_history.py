"""Where the store of an execution lies in PostgreSQL, and reading it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from sliceworks.master.search.dialects import POSTGRES
from sliceworks.master.search.sql import Columns as ListColumns
from sliceworks.master.store.columns import POSTGRES_SLICES
from sliceworks.master.store.lists import Scan
from sliceworks.master.store.ordering import listed
from sliceworks.master.store.postgres import Connection, ReadPool, time_limited
from sliceworks.master.store.reading import Reader
from sliceworks.master.store.rows import Columns
from sliceworks.master.store.sql_files import load_queries
from sliceworks.protocol.ids import ExId

_SQL: Final = load_queries("postgres_history.sql")
_ERRORS: Final = ListColumns({**POSTGRES_SLICES.named, "_updated": "s.failed_ms"}, POSTGRES_SLICES.roots)


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

    def rows(self, query: str, **parameters: object) -> list[Columns]:
        values: dict[str, Any] = {"ex": self._ex, **parameters}
        return cast("list[Columns]", self._connection.execute(_SQL[query].encode(), values).fetchall())

    def find(self, scan: Scan) -> list[int]:
        query, columns = ("find_errors", _ERRORS) if scan.by_errors else ("find", POSTGRES_SLICES)
        statement, values = listed(_SQL[query], scan.page, dialect=POSTGRES, columns=columns, last="s.seq")
        given = {**values, "ex": self._ex, "state": scan.state, "floor": scan.floor}
        with time_limited(self._connection):
            return [row["seq"] for row in self._connection.execute(statement.encode(), given)]

    def listing(self, seqs: Sequence[int]) -> list[int]:
        return list(seqs)
