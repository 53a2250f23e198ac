"""Connections to a PostgreSQL server: settings of a session, migrations, and what counts as "not now".

A connection that failed is closed, and the next use makes a new one: a server that was restarted, or is away
for a while, shows as StoreUnavailableError until it is back.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from sliceworks.master.store.sql_files import load_migrations
from sliceworks.master.store.sqlite import MAX_READ_SECONDS, TOO_LONG, Durability
from sliceworks.protocol.errors import ConfigError, InvalidError, StoreError, StoreUnavailableError

Connection: TypeAlias = psycopg.Connection[dict[str, Any]]

LOCK_CLASS: Final = 5_678
"""A master holds the advisory lock of this number, and its schema's, as long as it lives."""

MIGRATION_LOCK_CLASS: Final = 5_679

_KEPT_READERS: Final = 8
_MIGRATIONS: Final = "postgres_schema.sql"
_DEFAULTS: Final = {
    "application_name": "sliceworks",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",
}
# A writer looks rows up by their keys; plans of a table's first minute, when it was small, must not last.
_WRITER_SETTINGS: Final = """
SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '10s';
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SET plan_cache_mode = force_generic_plan; SET jit = off;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
"""
# With `off` even a server that is merely killed forgets what it has acknowledged; `local` is the least.
_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "on", "process": "local"}


def connect_reader(url: str) -> Connection:
    """A connection for reading a store whose schema this version knows."""
    connection = _connect(url)
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if schema_of(connection) != newest_schema():
            raise StoreError(_strange(schema_of(connection)))
    except BaseException:
        connection.close()
        raise
    return connection


def connect_writer(url: str, durability: Durability) -> Connection:
    """A connection for writing; whoever opens a store has to `migrate` it."""
    connection = _connect(url)
    try:
        connection.execute(_WRITER_SETTINGS)
        connection.execute(f"SET synchronous_commit = {_SYNCHRONOUS[durability]}".encode())
        _check_server(connection, durability)
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: Connection) -> None:
    """Take the steps that the database does not have; StoreError if a newer version wrote it."""
    if schema_of(connection) == newest_schema():
        return
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(current_schema()))", (MIGRATION_LOCK_CLASS,)
        )
        reached = schema_of(connection)
        if reached > newest_schema():
            raise StoreError(_strange(reached))
        for number, script in load_migrations(_MIGRATIONS):
            if number > reached:
                connection.execute(script.encode())
                connection.execute("DELETE FROM sliceworks_schema")
                connection.execute("INSERT INTO sliceworks_schema VALUES (%s)", (number,))


def newest_schema() -> int:
    """The newest step this version knows."""
    return max(number for number, _ in load_migrations(_MIGRATIONS))


def schema_of(connection: Connection) -> int:
    """The step that the database has reached; 0: it holds nothing of ours."""
    if connection.execute("SELECT to_regclass('sliceworks_schema') AS made").fetchall()[0]["made"] is None:
        return 0
    version: int = connection.execute("SELECT version FROM sliceworks_schema").fetchall()[0]["version"]
    return version


def clean(value: object) -> object:
    """Text as PostgreSQL can hold it: without NUL characters."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


@contextmanager
def unavailable_raised() -> Iterator[None]:
    """StoreUnavailableError for what the server, or the network, may manage later."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"PostgreSQL: {reason}"
        raise StoreUnavailableError(message) from error


@contextmanager
def time_limited(connection: Connection) -> Iterator[None]:
    """In a transaction: InvalidError if what is read in it takes too long, whatever a client asked for."""
    limit_ms = int(MAX_READ_SECONDS * 1000)
    connection.execute(f"SET LOCAL statement_timeout = {limit_ms}".encode())
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise InvalidError(TOO_LONG) from error


class Session:
    """One connection for one thread, made when it is needed, and made anew after it failed."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The connection; closed again if anything fails in the database. StoreUnavailableError."""
        with unavailable_raised():
            if self._connection is None:
                self._connection = self._connect()
            try:
                yield self._connection
            except psycopg.Error:
                self.close()
                raise

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class ReadPool:
    """Connections for reading, for any thread: each is lent to one at a time, and some kept for the next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction in which all queries see the same moment; StoreUnavailableError."""
        with unavailable_raised():
            connection = self._take()
            try:
                with connection.transaction():
                    yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def close(self) -> None:
        """End all connections; those that are lent end when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _is_quiet(connection):
                return connection
            connection.close()
        return connect_reader(self._url)

    def _give_back(self, connection: Connection) -> None:
        if self._closed or len(self._idle) >= _KEPT_READERS:
            connection.close()
        else:
            self._idle.append(connection)


def _connect(url: str) -> Connection:
    try:
        parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
    except psycopg.ProgrammingError as error:
        message = f"state.url is no address of a PostgreSQL database: {str(error).strip()}"
        raise ConfigError(message) from error
    return psycopg.connect(**parameters, autocommit=True, row_factory=dict_row)


def _check_server(connection: Connection, durability: Durability) -> None:
    if connection.info.parameter_status("server_encoding") != "UTF8":
        message = "the database of state.url is not encoded in UTF8: make one that is"
        raise ConfigError(message)
    if durability == "full" and connection.execute("SHOW fsync").fetchall()[0]["fsync"] != "on":
        message = (
            'the database server of state.url runs with fsync = off, where state.durability "full" cannot be '
            'kept: turn it on there, or set state.durability to "process"'
        )
        raise ConfigError(message)


def _is_quiet(connection: Connection) -> bool:
    """An idle connection has nothing to read, unless the server has ended it."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not connection.closed and not poll.poll(0)


def _strange(reached: int) -> str:
    if not reached:
        return "the database of state.url holds no state of Sliceworks: is it the master's?"
    return (
        f"the database of state.url has schema {reached}, this version of Sliceworks knows "
        f"{newest_schema()}: start the version that matches"
    )
