"""A group of work as one SQLite transaction, each piece in a savepoint of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sliceworks.master.store.group_writer import Outcome
from sliceworks.protocol.errors import ConflictError, SliceworksError, StoreUnavailableError

W = TypeVar("W")


class SqliteTransactions(Generic[W]):
    """`Transactions` of a connection that is theirs alone."""

    def __init__(
        self, connection: sqlite3.Connection, apply: Callable[[sqlite3.Connection, W], None]
    ) -> None:
        self._connection = connection
        self._apply = apply

    def commit(self, group: Sequence[W]) -> list[Outcome]:
        """See `Transactions`."""
        try:
            return self._transaction(group)
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error

    def close(self) -> None:
        """See `Transactions`."""
        self._connection.close()

    def _transaction(self, group: Sequence[W]) -> list[Outcome]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._one(work) for work in group]
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return outcomes

    def _one(self, work: W) -> Outcome:
        self._connection.execute("SAVEPOINT work")
        try:
            self._apply(self._connection, work)
        except (SliceworksError, sqlite3.IntegrityError) as error:
            self._connection.execute("ROLLBACK TO work")
            return error if isinstance(error, SliceworksError) else ConflictError(str(error))
        self._connection.execute("RELEASE work")
        return None
