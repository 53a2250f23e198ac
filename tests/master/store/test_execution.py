"""The store of one execution in a SQLite file; what every engine promises is in `tests/conformance`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.execution import SCHEMA, ExecutionStore, store_path
from sliceworks.master.store.history import read_counts, read_outcome, read_slices
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import NotFoundError, StoreError, StoreUnavailableError
from sliceworks.protocol.messages import SliceCounts

EX_ID = "0b5309f9-35d7-444a-be97-55e4de4aef41"
ONE = (1, 0, 1, b"{}", 0, 0, 5, 5, None, None)


def open_store(folder: Path, generation: int = 1) -> ExecutionStore:
    path = store_path(folder, EX_ID)
    return ExecutionStore.open(path, ex_id=EX_ID, generation=generation, durability="full")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ExecutionStore]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def batch(*rows: tuple[object, ...]) -> Batch:
    return Batch(1, asdict(Head(pending=len(rows))), [Group(inserts=list(rows))], [], [], [])


def test_a_batch_that_fails_leaves_nothing(store: ExecutionStore, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.apply(batch(ONE, ONE))
    assert read_slices(store_path(tmp_path, EX_ID), state=None, size=5, offset=0) == []
    store.apply(batch(ONE))


def test_a_file_that_cannot_be_written_is_tried_again(store: ExecutionStore, tmp_path: Path) -> None:
    store._connection.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(store_path(tmp_path, EX_ID), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        store.apply(batch(ONE))
    other.execute("ROLLBACK")
    other.close()
    store.apply(batch(ONE))
    assert read_counts(store_path(tmp_path, EX_ID)) == SliceCounts(pending=1)


@pytest.mark.parametrize("empty_file", [False, True])
def test_a_missing_store_reads_as_empty(tmp_path: Path, *, empty_file: bool) -> None:
    path = store_path(tmp_path, EX_ID)
    if empty_file:
        path.parent.mkdir()
        path.touch()
    assert read_counts(path) == SliceCounts()
    assert read_outcome(path) is None
    assert read_slices(path, state=None, size=1, offset=0) == []
    with pytest.raises(NotFoundError):
        verify_execution(path)


def test_a_store_of_a_newer_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(store_path(tmp_path, EX_ID))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match=rf"99.*{SCHEMA}"):
        open_store(tmp_path, 2)
