"""Lineages in files: what an older version left, and what cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.history import read_counts
from sliceworks.master.store.lineage import Kinds, Lineage
from sliceworks.master.store.sql_files import load_migrations
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import StoreError, StoreUnavailableError
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import SliceCounts

EX_ID = ExId("5f0f4a7e-16cb-4b1d-a0a9-0d3a3d9a4f51")


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A store that the first version wrote: one slice completed, one pending, the slicer behind both."""
    path = store_path(tmp_path, EX_ID)
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(load_migrations("execution_schema.sql")[0][1])
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO execution (id, ex_id, generation, batch, pending, completed) "
            "VALUES (1, ?, 1, 1, 1, 1)",
            (EX_ID,),
        )
        insert = (
            "INSERT INTO slices "
            "(seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms) "
            "VALUES (?, 0, ?, x'7b7d', ?, 1, 5, 5)"
        )
        connection.executemany(insert, [(1, 1, 2), (2, 2, 0)])
        connection.execute("INSERT INTO slicers (slicer_id, last_order, last_request) VALUES (0, 2, x'7b7d')")
        connection.commit()
    return path


def lineage_in(path: Path) -> Lineage:
    return Lineage([EX_ID], partial(store_path, path.parent.parent))


def test_what_the_first_version_wrote_is_recovered_without_being_touched(old_file: Path) -> None:
    before = old_file.read_bytes()
    [page] = lineage_in(old_file).pages(Kinds.ALL)
    assert [item.slice_id for item in page.slices] == [slice_id_of(EX_ID, Seq(2))]
    assert lineage_in(old_file).positions()[0].last_order == 2
    assert read_counts(old_file) == SliceCounts(pending=1, completed=1)
    assert verify_execution(old_file).ok
    assert old_file.read_bytes() == before


def test_what_the_first_version_wrote_opens(old_file: Path) -> None:
    store = ExecutionStore.open(old_file, ex_id=EX_ID, generation=2, durability="process")
    assert (store.load().head.taken_up, store.load().head.pending) == (0, 1)
    store.close()


def test_a_damaged_file_is_told_by_its_execution(old_file: Path) -> None:
    old_file.write_bytes(b"no database " * 1_000)
    with pytest.raises(StoreError, match=f"execution {EX_ID}, which is recovered, cannot be read") as caught:
        lineage_in(old_file).positions()
    assert not isinstance(caught.value, StoreUnavailableError)


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    lineage = lineage_in(store_path(tmp_path, EX_ID))
    assert lineage.positions() == []
    assert [page.slices for page in lineage.pages(Kinds.ALL)] == [[]]
