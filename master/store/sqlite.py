"""Opening a SQLite file: pragmas and migrations.

The number of the last migration is the file's `user_version`, so a store written by an older version opens in
a newer one, and one written by a newer version is refused with both numbers.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from sliceworks.master.store.sql_files import load_migrations
from sliceworks.protocol.errors import InvalidError, StoreError, StoreUnavailableError

Durability = Literal["full", "process"]

MAX_READ_SECONDS: Final = 5.0
TOO_LONG: Final = f"reading this took more than {MAX_READ_SECONDS:g} s: make the filter narrower or simpler"
_STEPS_BETWEEN_LOOKS: Final = 200_000

_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "process": "NORMAL"}


def open_database(path: Path, migrations: str, durability: Durability) -> sqlite3.Connection:
    """Open (or make) a store for its one writer, migrated to the newest schema; StoreError if it is newer."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute("PRAGMA journal_size_limit=67108864")
    _migrate(connection, migrations, path)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that sees what its writer committed and can write nothing."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=5
    )
    connection.row_factory = sqlite3.Row
    return connection


@contextmanager
def unavailable_raised() -> Iterator[None]:
    """StoreUnavailableError for what SQLite may manage later: a lock, a full disk, a failing one."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(str(error)) from error


@contextmanager
def time_limited(connection: sqlite3.Connection) -> Iterator[None]:
    """InvalidError if what is read in it takes too long, whatever a client asked for."""
    end = time.monotonic() + MAX_READ_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise InvalidError(TOO_LONG) from error
    finally:
        connection.set_progress_handler(None, 0)


def _migrate(connection: sqlite3.Connection, migrations: str, path: Path) -> None:
    reached: int = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = load_migrations(migrations)
    newest = max(number for number, _ in steps)
    if reached > newest:
        message = (
            f"{path} has schema {reached}, this version of Sliceworks knows {newest}: start the newer version"
        )
        raise StoreError(message)
    for number, script in steps:
        if number > reached:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
