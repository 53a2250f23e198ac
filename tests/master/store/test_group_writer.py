"""Group commit, and a database that cannot be written for a while."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sliceworks.master.store.group_writer import GroupWriter
from sliceworks.master.store.sqlite_transactions import SqliteTransactions
from sliceworks.protocol.errors import ConflictError, StoreError


def insert(connection: sqlite3.Connection, value: int) -> None:
    connection.execute("INSERT INTO numbers VALUES (?)", (value,))


def database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    connection.execute("CREATE TABLE IF NOT EXISTS numbers (value INTEGER PRIMARY KEY)")
    return connection


def numbers(path: Path) -> list[int]:
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT value FROM numbers ORDER BY value")]
    connection.close()
    return found


async def test_what_is_queued_is_written_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    writer = GroupWriter(SqliteTransactions(database(path), insert))
    futures = [writer.submit(number) for number in range(1_200)]
    await writer.close()
    await asyncio.gather(*futures)
    assert numbers(path) == list(range(1_200))


async def test_one_conflict_harms_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    writer = GroupWriter(SqliteTransactions(database(path), insert))
    outcomes = await asyncio.gather(*[writer.submit(number) for number in (1, 1, 2)], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ConflictError, type(None)]
    await writer.close()
    assert numbers(path) == [1, 2]


async def test_a_store_in_trouble_is_tried_again_until_it_is_well(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    writer = GroupWriter(SqliteTransactions(database(path), insert))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    future = writer.submit(1)
    while not writer.trouble:  # noqa: ASYNC110 - the writer's thread tells nobody
        await asyncio.sleep(0.005)
    assert "locked" in writer.trouble
    assert not future.done()
    other.execute("ROLLBACK")
    other.close()
    await future
    assert writer.trouble == ""
    await writer.close()
    assert numbers(path) == [1]


async def test_a_store_in_trouble_does_not_keep_the_writer_from_closing(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    writer = GroupWriter(SqliteTransactions(database(path), insert))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    future = writer.submit(1)
    await writer.close()
    with pytest.raises(StoreError, match="locked"):
        await future
    with pytest.raises(StoreError, match="closed"):
        await writer.submit(2)
    other.close()
