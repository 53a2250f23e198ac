"""What every engine promises of an execution's store: whole batches, fencing, and what a successor finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest

from sliceworks.master.store.batch import Batch, Group, Head, NodeRow, SliceRow, SlicerRow
from sliceworks.master.store.contract import BatchStore
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.history import read_counts, read_list, read_outcome, read_slices
from sliceworks.master.store.lists import SliceList
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.records import Order, Page
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import FencedError, NotFoundError
from sliceworks.protocol.ids import ExId, Seq, seq_of, slice_id_of
from sliceworks.protocol.messages import OperationTotals, SliceCounts
from sliceworks.protocol.states import ErrorReason, ResultKind, SliceState

EX_ID = ExId("0b5309f9-35d7-444a-be97-55e4de4aef41")
OTHER_EX_ID = ExId("7f2a8bde-6a0f-4d30-a9d5-92ddf1f3d7ab")


@pytest.fixture
def store(state: StateStore) -> Iterator[BatchStore]:
    """Of generation 1."""
    opened = state.open_execution(EX_ID, generation=1)
    yield opened
    opened.close()


@pytest.fixture
def place(state: StateStore) -> Iterator[StorePlace]:
    with state.place(EX_ID) as where:
        yield where


def batch(number: int, *groups: Group, **head: object) -> Batch:
    slicers = [(0, 2, b"{}", None, 0)]
    return Batch(
        number,
        {**asdict(Head()), **head},
        list(groups),
        slicers,
        [(1, "n", "i", "h"), (2, "m", "i", "h")],
        [],
    )


def inserted(seq: int, node: int | None = None) -> tuple[object, ...]:
    state, epoch = (SliceState.START, 1) if node else (SliceState.PENDING, 0)
    return (seq, 0, seq, b'{"a":1}', state, epoch, 5, 5, node, 5 if node else None)


def two_slices() -> Group:
    return Group(inserts=[inserted(1), inserted(2, node=1)], first_leases=[(1, 6, 6, 1)])


def test_a_batch_is_written_once_however_often_it_is_repeated(store: BatchStore, place: StorePlace) -> None:
    first = batch(1, two_slices(), start=2)
    store.apply(first)
    store.apply(first)
    assert read_counts(place) == SliceCounts(start=2)
    assert verify_execution(place).ok


def test_a_newer_generation_fences_out_the_older(store: BatchStore, state: StateStore) -> None:
    newer = state.open_execution(EX_ID, generation=2)
    with pytest.raises(FencedError):
        store.apply(batch(1, two_slices()))
    newer.apply(batch(1, two_slices(), start=2))
    newer.close()
    with pytest.raises(FencedError):
        state.open_execution(EX_ID, generation=2)


def test_a_gap_in_the_numbers_is_refused(store: BatchStore) -> None:
    with pytest.raises(FencedError):
        store.apply(batch(2, two_slices()))


def test_a_successor_finds_leases_positions_and_pending(store: BatchStore, state: StateStore) -> None:
    first = batch(1, Group(inserts=[inserted(1), inserted(2, node=1), inserted(3)]), workers_joined=3)
    first.operations = [(0, 3, 4, 5, 6, 7)]
    store.apply(first)
    successor = state.open_execution(EX_ID, generation=2)
    snapshot = successor.load()
    assert (snapshot.batch, snapshot.last_seq, snapshot.head.workers_joined) == (1, 3, 3)
    assert snapshot.leases == [SliceRow(2, None, 0, 2, b'{"a":1}', 1, 0, 0, node=1)]
    assert snapshot.slicers == [SlicerRow(0, 2, b"{}", None, finished=False)]
    assert snapshot.nodes == [NodeRow(1, "n", "i", "h"), NodeRow(2, "m", "i", "h")]
    assert snapshot.operations == [(0, 3, 4, 5, 6, 7)]
    assert [row.seq for row in successor.load_pending(0, 10)] == [1, 3]
    assert [row.seq for row in successor.load_pending(0, 1)] == [1]
    assert successor.load_pending(3, 10) == []
    successor.close()


def test_positions_and_totals_are_replaced(store: BatchStore) -> None:
    store.apply(batch(1, two_slices(), start=2))
    second = batch(2)
    second.slicers = [(0, 9, None, b"\x00mark", 1), (1, 1, b"{}", None, 0)]
    second.operations = [(0, 1, 1, 1, 1, 1)]
    store.apply(second)
    third = batch(3)
    third.slicers, third.operations = [], [(0, 8, 8, 8, 8, 8)]
    store.apply(third)
    snapshot = store.load()
    assert [(row.last_order, row.checkpoint, row.finished) for row in snapshot.slicers] == [
        (9, b"\x00mark", True),
        (1, None, False),
    ]
    assert snapshot.operations == [(0, 8, 8, 8, 8, 8)]


def test_slice_records_have_the_shape_of_the_api(store: BatchStore, place: StorePlace) -> None:
    store.apply(batch(1, two_slices(), start=2))
    ended = Group(
        completions=[(9, 7, 120, 8, 1)],
        ends=[(SliceState.ERROR, 8, 1, 0, ErrorReason.FAILED, 2)],
        first_attempts=[(9, 7, 50, 8, ResultKind.ERROR, "Boom", "noop", None, None, "", 2)],
    )
    store.apply(batch(2, ended, completed=1, error=1))
    done, failed = read_slices(place, state=None, size=10, offset=0)
    assert done["request"] == '{"a":1}'
    attempt = done["attempts"][0]
    assert (done["state"], attempt["outcome"], attempt["node"], attempt["run_us"]) == (
        "completed",
        "completed",
        "n",
        120,
    )
    assert seq_of(EX_ID, done["slice_id"]) == 1
    assert failed["slice_id"] == slice_id_of(EX_ID, Seq(2))
    assert (failed["state"], failed["error"], failed["reason"]) == ("error", "Boom", "failed")
    assert read_slices(place, state=SliceState.ERROR, size=10, offset=0) == [failed]
    assert read_slices(place, state=None, size=1, offset=1) == [failed]
    assert read_slices(place, state=SliceState.COMPLETED, size=9, offset=0) == [done]
    assert read_slices(place, state=None, size=9, offset=0, descending=True) == [failed, done]


def test_every_try_of_a_slice_is_kept(store: BatchStore, place: StorePlace) -> None:
    """Handed back, lost, and completed at last; leased and handed back again within one batch."""
    store.apply(batch(1, Group(inserts=[inserted(1, node=1), inserted(2, node=1)]), start=2))
    again = Group(
        ends=[(SliceState.PENDING, 9, 0, 0, None, 1), (SliceState.PENDING, 9, 0, 1, None, 2)],
        first_attempts=[
            (None, None, 0, 9, ResultKind.RETURNED, None, None, None, None, None, 1),
            (4, 8, 0, 9, ResultKind.LOST, "", "delay", None, 9, "last words\n", 2),
        ],
        later_leases=[(2, 10, 1), (2, 10, 2)],
        new_attempts=[(1, 2, 2, 10), (2, 2, 2, 10)],
    )
    handed_back = Group(
        ends=[(SliceState.PENDING, 11, 0, 0, None, 1)],
        later_attempts=[(None, None, 0, 11, ResultKind.RETURNED, None, None, None, None, None, 1, 2)],
    )
    store.apply(batch(2, again, handed_back, start=1, pending=1))
    completed = Group(
        ends=[(SliceState.COMPLETED, 12, 0, 1, None, 2)],
        later_attempts=[(5, 11, 77, 12, ResultKind.COMPLETED, None, None, None, None, None, 2, 2)],
    )
    store.apply(batch(3, completed, completed=1, pending=1))
    pending, done = read_slices(place, state=None, size=9, offset=0)
    assert [attempt["outcome"] for attempt in pending["attempts"]] == ["returned", "returned"]
    lost, last = done["attempts"]
    assert (lost["outcome"], lost["signal"], lost["op"], lost["log_tail"]) == (
        "lost",
        9,
        "delay",
        "last words\n",
    )
    assert (last["outcome"], last["node"], last["worker"], last["run_us"]) == ("completed", "m", 5, 77)
    assert verify_execution(place).ok
    assert [(row.seq, row.epoch) for row in store.load_pending(0, 9)] == [(1, 2)]


def test_errors_are_listed_by_the_time_they_ended(store: BatchStore, place: StorePlace) -> None:
    store.apply(batch(1, Group(inserts=[inserted(seq, node=1) for seq in (1, 2, 3)]), start=3))
    ends = [
        (SliceState.ERROR, when, 1, 0, ErrorReason.FAILED, seq) for seq, when in ((1, 30), (2, 10), (3, 20))
    ]
    store.apply(batch(2, Group(ends=ends), error=3))
    newest = SliceList(Page(2, 0, (Order("_updated", descending=True),)), SliceState.ERROR)
    oldest = SliceList(Page(9, 1, (Order("_updated"),)), SliceState.ERROR)
    assert [record["slicer_order"] for record in read_list(place, newest)] == [1, 3]
    assert [record["slicer_order"] for record in read_list(place, oldest)] == [3, 1]


def test_text_of_any_kind_is_kept(store: BatchStore, place: StorePlace) -> None:
    """A NUL character may become another one; nothing else may."""
    text = '{"quoted", \\ NULL}\n\u00e9\U0001f600'
    store.apply(batch(1, Group(inserts=[inserted(1, node=1), inserted(2, node=1)]), start=2))
    ends = [(SliceState.ERROR, 8, 1, 0, ErrorReason.FAILED, seq) for seq in (1, 2)]
    first = [
        (9, 7, 5, 8, ResultKind.ERROR, error, None, None, None, None, seq)
        for seq, error in ((1, text), (2, "before\0after"))
    ]
    store.apply(batch(2, Group(ends=ends, first_attempts=first), error=2, failure="a\0b"))
    one, two = read_slices(place, state=None, size=9, offset=0)
    assert one["error"] == text
    assert two["error"] in ("before\0after", "before\ufffdafter")


def test_executions_do_not_see_each_other(store: BatchStore, state: StateStore, place: StorePlace) -> None:
    other = state.open_execution(OTHER_EX_ID, generation=5)
    other.apply(batch(1, Group(inserts=[inserted(1, node=1)]), start=1))
    store.apply(batch(1, two_slices(), start=2))
    store.apply(batch(2, Group(completions=[(9, 7, 120, 8, 1)]), start=1, completed=1))
    assert [row.seq for row in other.load().leases] == [1]
    assert [row.seq for row in store.load().leases] == [2]
    other.close()
    assert verify_execution(place).ok
    with state.place(OTHER_EX_ID) as there:
        assert verify_execution(there).counts == SliceCounts(start=1)


def test_many_slices_in_one_batch(store: BatchStore, place: StorePlace) -> None:
    many = range(1, 5_001)
    rows = Batch(1, {**asdict(Head()), "start": len(many)}, [], [(0, len(many), b"{}", None, 0)], [], [])
    rows.groups = [Group(inserts=[inserted(seq, node=1) for seq in many])]
    store.apply(rows)
    done = Batch(2, {**asdict(Head()), "completed": len(many)}, [], [], [], [])
    done.groups = [Group(completions=[(9, 7, seq, 8, seq) for seq in many])]
    store.apply(done)
    assert verify_execution(place).counts == SliceCounts(completed=len(many))
    (last,) = read_slices(place, state=None, size=1, offset=0, descending=True)
    assert last["attempts"][0]["run_us"] == 5_000


def test_a_store_that_nobody_made_reads_as_empty(state: StateStore) -> None:
    state.open_execution(OTHER_EX_ID, generation=1).close()
    with state.place(EX_ID) as place:
        assert read_counts(place) == SliceCounts()
        assert read_outcome(place) is None
        assert read_slices(place, state=SliceState.ERROR, size=1, offset=0) == []
        with pytest.raises(NotFoundError, match=r"there is no store|has no execution"):
            verify_execution(place)


def test_the_outcome_is_read_from_a_dead_controllers_store(store: BatchStore, place: StorePlace) -> None:
    assert read_outcome(place) is None
    last = batch(1, Group(), outcome="failed", outcome_failure="why", ended_ms=9)
    last.operations = [(0, 1, 2, 3, 4, 5)]
    store.apply(last)
    outcome = read_outcome(place)
    assert outcome is not None
    assert (outcome.status, outcome.failure, outcome.head.ended_ms, outcome.slicers) == (
        "failed",
        "why",
        9,
        1,
    )
    assert outcome.operations == [OperationTotals(0, 1, 2, 3, 4, 5)]


def test_verify_names_each_difference(store: BatchStore, place: StorePlace) -> None:
    wrong = batch(1, two_slices(), completed=1, outcome="completed")
    wrong.slicers = [(0, 7, b"{}", None, 0)]
    wrong.groups[0].new_attempts = [(9, 2, 1, 5)]
    store.apply(wrong)
    report = verify_execution(place)
    assert not report.ok
    for text in (
        "completed: the counter says 1",
        "although the execution has ended",
        "its position is 7",
        "1 attempts belong to no slice",
    ):
        assert any(text in difference for difference in report.differences), (text, report.differences)
