"""A group of the master's work as one PostgreSQL transaction; one master at a time.

A master holds an advisory lock as long as its connection lives, and a generation in the database for good:
one that lost its connection, and the database to another master meanwhile, writes nothing more.  Transactions
are numbered, so that a commit of unknown outcome is recognized when its group is tried again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

import psycopg
from psycopg import errors

from sliceworks.master.store.group_writer import Outcome
from sliceworks.master.store.postgres import LOCK_CLASS, Connection, Session, connect_writer, migrate
from sliceworks.master.store.sql_files import load_queries
from sliceworks.master.store.sqlite import Durability
from sliceworks.protocol.errors import ConfigError, ConflictError, FencedError, SliceworksError, StoreError

W = TypeVar("W")

_SQL: Final = load_queries("postgres_cluster.sql")
_IN_USE: Final = (
    "the database of state.url is in use by another master: end that one, or give this one a database "
    "of its own"
)
_REPLACED: Final = "another master has taken the database of state.url over; this one ends"


class PostgresTransactions(Generic[W]):
    """`Transactions` of the one master of a database; made by `open`."""

    def __init__(self, url: str, durability: Durability, apply: Callable[[Connection, W], None]) -> None:
        self._open_connection = partial(connect_writer, url, durability)
        self._session = Session(self._connect)
        self._apply = apply
        self._generation = 0
        self._number = 0  # of the last transaction known to be durable
        self._doubtful: Sequence[W] | None = None  # the group of a transaction that may be durable
        self._outcomes: list[Outcome] = []

    @classmethod
    def open(
        cls, url: str, durability: Durability, apply: Callable[[Connection, W], None]
    ) -> PostgresTransactions[W]:
        """Take the database over; ConfigError if another master has it, StoreUnavailableError."""
        transactions = cls(url, durability, apply)
        with transactions._session.connection() as connection:
            connection.execute(_SQL["create"], (secrets.token_bytes(32),))
            taken = connection.execute(_SQL["take_over"]).fetchall()[0]
        transactions._generation, transactions._number = taken["generation"], taken["batch"]
        return transactions

    def commit(self, group: Sequence[W]) -> list[Outcome]:
        """See `Transactions`."""
        with self._session.connection() as connection:
            if self._doubtful is not None:
                repeated = self._doubtful is group
                if self._was_written(connection) and repeated:
                    return self._outcomes
            self._doubtful = group
            with connection.transaction():
                self._outcomes = self._write(connection, group)
            self._number += 1
            self._doubtful = None
            return self._outcomes

    def close(self) -> None:
        """See `Transactions`."""
        self._session.close()

    def _write(self, connection: Connection, group: Sequence[W]) -> list[Outcome]:
        values = {"batch": self._number + 1, "generation": self._generation}
        if not connection.execute(_SQL["take_batch"], values).rowcount:
            raise FencedError(_REPLACED)
        return [self._one(connection, work) for work in group]

    def _was_written(self, connection: Connection) -> bool:
        """Whether the doubtful transaction is durable; afterwards it is doubtful no more."""
        written = self._last_written(connection)
        happened = written == self._number + 1
        self._number = written
        self._doubtful = None
        return happened

    def _one(self, connection: Connection, work: W) -> Outcome:
        try:
            with connection.transaction():
                self._apply(connection, work)
        except SliceworksError as error:
            return error
        except psycopg.IntegrityError as error:
            return ConflictError(str(error))
        except psycopg.DataError as error:
            return StoreError(f"the database does not take a value: {error}")
        return None

    def _connect(self) -> Connection:
        """A connection that holds the lock, which another master may have got in the meantime."""
        connection = self._open_connection()
        try:
            self._lock(connection)
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _lock(self, connection: Connection) -> None:
        try:
            connection.execute(_SQL["lock"], (LOCK_CLASS,))
        except errors.LockNotAvailable as error:
            if not self._generation:
                raise ConfigError(_IN_USE) from error
            self._last_written(connection)
            raise

    def _last_written(self, connection: Connection) -> int:
        found = connection.execute(_SQL["read_generation"]).fetchall()[0]
        if found["generation"] != self._generation:
            raise FencedError(_REPLACED)
        batch: int = found["batch"]
        return batch
