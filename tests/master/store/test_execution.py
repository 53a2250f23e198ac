"""The store of one execution: whole batches, fencing, and what a successor finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.execution import SCHEMA, ExecutionStore, store_path
from sliceworks.master.store.history import read_counts, read_errors, read_outcome, read_slices
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import FencedError, NotFoundError, StoreError
from sliceworks.protocol.ids import ExId, Seq, seq_of, slice_id_of
from sliceworks.protocol.messages import SliceCounts

EX_ID = "0b5309f9-35d7-444a-be97-55e4de4aef41"


def open_store(folder: Path, generation: int = 1) -> ExecutionStore:
    path = store_path(folder, EX_ID)
    return ExecutionStore.open(path, ex_id=EX_ID, generation=generation, durability="full")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ExecutionStore]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def batch(number: int, group: Group, **head: object) -> Batch:
    return Batch(
        number, {**asdict(Head()), **head}, [group], [(0, 2, b"{}", None, 0)], [(1, "n", "i", "h")], []
    )


def two_slices() -> Group:
    return Group(
        inserts=[(1, 0, 1, b'{"a":1}', 0, 0, 5, 5, None, None), (2, 0, 2, b"{}", 1, 1, 5, 5, 1, 5)],
        first_leases=[(1, 6, 6, 1)],
    )


def test_a_batch_is_written_once_however_often_it_is_repeated(store: ExecutionStore, tmp_path: Path) -> None:
    first = batch(1, two_slices(), start=2)
    store.apply(first)
    store.apply(first)
    assert read_counts(store_path(tmp_path, EX_ID)) == SliceCounts(start=2)
    assert verify_execution(store_path(tmp_path, EX_ID)).ok


def test_a_batch_that_fails_leaves_nothing(store: ExecutionStore, tmp_path: Path) -> None:
    broken = batch(1, Group(inserts=[(1, 0, 1, b"{}", 0, 0, 5, 5, None, None)] * 2), pending=2)
    with pytest.raises(sqlite3.IntegrityError):
        store.apply(broken)
    assert read_slices(store_path(tmp_path, EX_ID), state=None, size=5, offset=0) == []
    store.apply(batch(1, two_slices(), start=2))


def test_a_newer_generation_fences_out_the_older(store: ExecutionStore, tmp_path: Path) -> None:
    newer = open_store(tmp_path, 2)
    with pytest.raises(FencedError):
        store.apply(batch(1, two_slices()))
    newer.apply(batch(1, two_slices(), start=2))
    newer.close()
    with pytest.raises(FencedError):
        open_store(tmp_path, 2)


def test_a_gap_in_the_numbers_is_refused(store: ExecutionStore) -> None:
    with pytest.raises(FencedError):
        store.apply(batch(2, two_slices()))


def test_a_successor_finds_leases_positions_and_pending(store: ExecutionStore, tmp_path: Path) -> None:
    group = two_slices()
    group.first_leases = []
    store.apply(batch(1, group, pending=1, start=1, workers_joined=3))
    successor = open_store(tmp_path, 2)
    snapshot = successor.load()
    assert (snapshot.batch, snapshot.last_seq, snapshot.head.workers_joined) == (1, 2, 3)
    assert [(row.seq, row.epoch, row.node) for row in snapshot.leases] == [(2, 1, 1)]
    assert [(row.last_order, row.finished) for row in snapshot.slicers] == [(2, False)]
    assert [row.seq for row in successor.load_pending(0, 10)] == [1]
    assert successor.load_pending(1, 10) == []
    successor.close()


def test_slice_records_have_the_shape_of_the_api(store: ExecutionStore, tmp_path: Path) -> None:
    store.apply(batch(1, two_slices(), start=2))
    ended = Group(
        completions=[(9, 7, 120, 8, 1)],
        ends=[(3, 8, 1, 0, "failed", 2)],
        first_attempts=[(9, 7, 50, 8, 1, "Boom", "noop", None, None, "", 2)],
    )
    store.apply(batch(2, ended, completed=1, error=1))
    path = store_path(tmp_path, EX_ID)
    done, failed = read_slices(path, state=None, size=10, offset=0)
    assert done["request"] == '{"a":1}'
    assert (done["state"], done["attempts"][0]["outcome"], done["attempts"][0]["node"]) == (
        "completed",
        "completed",
        "n",
    )
    assert seq_of(ExId(EX_ID), done["slice_id"]) == 1
    assert failed["slice_id"] == slice_id_of(ExId(EX_ID), Seq(2))
    assert (failed["state"], failed["error"], failed["reason"]) == ("error", "Boom", "failed")
    assert read_errors(path, size=10, offset=0) == [failed]
    assert read_slices(path, state=None, size=1, offset=1) == [failed]


def test_a_missing_store_reads_as_empty(tmp_path: Path) -> None:
    path = store_path(tmp_path, EX_ID)
    assert read_counts(path) == SliceCounts()
    assert read_outcome(path) is None
    assert read_errors(path, size=1, offset=0) == []
    with pytest.raises(NotFoundError):
        verify_execution(path)


def test_the_outcome_is_read_from_a_dead_controllers_store(store: ExecutionStore, tmp_path: Path) -> None:
    store.apply(batch(1, Group(), outcome="failed", outcome_failure="why", ended_ms=9))
    outcome = read_outcome(store_path(tmp_path, EX_ID))
    assert outcome is not None
    assert (outcome.status, outcome.failure) == ("failed", "why")


def test_verify_names_each_difference(store: ExecutionStore, tmp_path: Path) -> None:
    store.apply(batch(1, two_slices(), completed=1, outcome="completed"))
    report = verify_execution(store_path(tmp_path, EX_ID))
    assert not report.ok
    assert any("completed: the counter says 1" in text for text in report.differences)
    assert any("although the execution has ended" in text for text in report.differences)


def test_a_store_of_a_newer_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(store_path(tmp_path, EX_ID))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match=rf"99.*{SCHEMA}"):
        open_store(tmp_path, 2)
