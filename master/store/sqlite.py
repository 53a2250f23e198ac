"""Opening a SQLite file: pragmas, migrations, and SQL by name.

SQL lives in `.sql` files beside this module.  A migrations file holds numbered steps, forward only; the
number reached is the file's `user_version`, so a store written by an older version opens in a newer one, and
one written by a newer version is refused with both numbers.
"""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from sliceworks.protocol.errors import StoreError

Durability = Literal["full", "process"]

_STEP: Final = re.compile(r"^-- migration (\d+)[^\n]*\n", re.MULTILINE)
_NAME: Final = re.compile(r"^-- name: (\w+)[^\n]*\n", re.MULTILINE)
_SYNCHRONOUS: Final[dict[Durability, str]] = {"full": "FULL", "process": "NORMAL"}


def load_queries(file: str) -> dict[str, str]:
    """The statements of a `.sql` file of this package, by the name in their `-- name:` line."""
    return dict(_sections(file, _NAME))


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


def schema_version(migrations: str) -> int:
    """The newest step of a migrations file."""
    return max(int(number) for number, _ in _sections(migrations, _STEP))


def _sections(file: str, header: re.Pattern[str]) -> list[tuple[str, str]]:
    parts = header.split(resources.files(__package__).joinpath(file).read_text())
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _migrate(connection: sqlite3.Connection, migrations: str, path: Path) -> None:
    reached: int = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = [(int(number), script) for number, script in _sections(migrations, _STEP)]
    newest = max(number for number, _ in steps)
    if reached > newest:
        message = (
            f"{path} has schema {reached}, this version of Sliceworks knows {newest}: start the newer version"
        )
        raise StoreError(message)
    for number, script in steps:
        if number > reached:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
