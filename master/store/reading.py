"""How the store of an execution is read: the same few named queries over every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import orjson

from sliceworks.master.search.dialects import SQLITE
from sliceworks.master.store.columns import SQLITE_SLICES
from sliceworks.master.store.lists import Scan
from sliceworks.master.store.ordering import listed
from sliceworks.master.store.rows import Columns
from sliceworks.master.store.sql_files import load_queries
from sliceworks.master.store.sqlite import open_for_reading, time_limited
from sliceworks.protocol.ids import ExId

_SQL: Final = load_queries("history.sql")


class Reader(Protocol):
    """One store, open for reading."""

    def rows(self, query: str, **parameters: object) -> list[Columns]:
        """What a query of `history.sql` finds."""
        ...

    def find(self, scan: Scan) -> list[int]:
        """The seqs of a list, in its order; InvalidError if that takes too long."""
        ...

    def listing(self, seqs: Sequence[int]) -> object:
        """Seqs as the parameter `seqs` of a query."""
        ...


class Place(Protocol):
    """Where the store of one execution lies, if it is no file."""

    @property
    def ex_id(self) -> ExId:
        """Whose it is."""
        ...

    def reading(self) -> AbstractContextManager[Reader | None]:
        """One snapshot of it; None: nobody has made it yet. Raises StoreUnavailableError."""
        ...


StorePlace: TypeAlias = Path | Place
"""A path is a SQLite file, named by its execution."""


def ex_id_at(place: StorePlace) -> ExId:
    """Whose store lies there."""
    return ExId(place.stem) if isinstance(place, Path) else place.ex_id


def reading(place: StorePlace) -> AbstractContextManager[Reader | None]:
    """One snapshot of a store; None: nobody has made it yet."""
    return _reading_file(place) if isinstance(place, Path) else place.reading()


@contextmanager
def _reading_file(path: Path) -> Iterator[Reader | None]:
    if not path.exists():
        yield None
        return
    with closing(open_for_reading(path)) as connection:
        connection.execute("BEGIN")
        made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'execution'").fetchone()
        yield _FileReader(connection) if made else None


class _FileReader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, **parameters: object) -> list[Columns]:
        found: list[Columns] = self._connection.execute(_SQL[query], parameters).fetchall()
        return found

    def find(self, scan: Scan) -> list[int]:
        query = "find_errors" if scan.by_errors else "find"
        statement, values = listed(
            _SQL[query], scan.page, dialect=SQLITE, columns=SQLITE_SLICES, last="s.seq"
        )
        given = {**values, "state": scan.state, "floor": scan.floor}
        with time_limited(self._connection):
            return [row["seq"] for row in self._connection.execute(statement, given)]

    def listing(self, seqs: Sequence[int]) -> str:
        return orjson.dumps(seqs).decode()
