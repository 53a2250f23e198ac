"""What every engine promises to a recovery: copies that keep their ids, the newest record of each slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice

import pytest

from sliceworks.master.store.batch import Batch, Group, Head, SlicerRow
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.history import read_slices
from sliceworks.master.store.lineage import Kinds, Lineage
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.records import AddExecution, AddJob, ExecutionRow, JobRecord
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import StoreError
from sliceworks.protocol.ids import ExId, Seq, new_id, slice_id_of
from sliceworks.protocol.messages import Wishes
from sliceworks.protocol.states import ExecutionStatus, SliceState

A, B, C = (ExId(new_id()) for _ in range(3))
OPEN, BEGUN, DONE, BAD = SliceState

Place = Callable[[str], StorePlace]


@pytest.fixture
def place(state: StateStore) -> Iterator[Place]:
    with state.places() as place_of:
        yield place_of


def own(seq: int, state: SliceState) -> tuple[object, ...]:
    epoch = int(state is not OPEN)
    return (seq, 0, seq, b"%d" % seq, state, epoch, 5, 5, None, None)


def copied(seq: int, state: SliceState, *, of: str, made_as: int) -> tuple[object, ...]:
    row = (seq, 0, made_as, b"%d" % made_as, state, 1, 5, 5, None, None)
    return (*row, slice_id_of(ExId(of), Seq(made_as)))


def write(
    state: StateStore,
    ex_id: str,
    *,
    copies: list[tuple[object, ...]] | None = None,
    inserts: list[tuple[object, ...]] | None = None,
    slicers: list[tuple[object, ...]] | None = None,
    taken_up: Kinds = Kinds.NONE,
) -> None:
    """The store of one execution that has ended."""
    rows = [*(copies or []), *(inserts or [])]
    states = [row[4] for row in rows]
    counts = {name: states.count(state) for name, state in zip(asdict(Head()), SliceState, strict=False)}
    head = {**asdict(Head()), **counts, "taken_up": int(taken_up), "copied": len(copies or [])}
    store = state.open_execution(ex_id, generation=1)
    store.apply(Batch(1, head, [Group(inserts=inserts or [], copies=copies or [])], slicers or [], [], []))
    store.close()


def ids_of(lineage: Lineage, kinds: Kinds, **options: int | str) -> list[str]:
    pages = list(lineage.pages(kinds, **options))  # type: ignore[arg-type]  # after and limit
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    return [item.slice_id for page in pages for item in page.slices]


def of_a(*seqs: int) -> list[str]:
    return [slice_id_of(A, Seq(seq)) for seq in seqs]


def test_kinds_are_told_apart(state: StateStore, place: Place) -> None:
    states = [OPEN, BEGUN, DONE, BAD, OPEN]
    write(state, A, inserts=[own(seq, item) for seq, item in enumerate(states, 1)])
    lineage = Lineage([A], place)
    assert ids_of(lineage, Kinds.ALL) == of_a(1, 2, 4, 5)
    assert ids_of(lineage, Kinds.ERRORS) == of_a(4)
    assert ids_of(lineage, Kinds.UNFINISHED) == of_a(1, 2, 5)
    [page] = lineage.pages(Kinds.ERRORS)
    assert (page.slices[0].slicer_id, page.slices[0].slicer_order, page.slices[0].request) == (0, 4, b"4")


def test_the_newest_record_counts_on_every_branch(state: StateStore, place: Place) -> None:
    """B recovered A, C recovered A again: what B completed is completed."""
    write(state, A, inserts=[own(seq, BAD) for seq in range(1, 6)])
    write(state, B, copies=[copied(1, DONE, of=A, made_as=2), copied(2, OPEN, of=A, made_as=3)])
    write(state, C, copies=[copied(1, BAD, of=A, made_as=3)], inserts=[own(2, OPEN)])
    lineage = Lineage([A, B, C], place)
    assert ids_of(lineage, Kinds.ALL) == [*of_a(1, 3, 4, 5), slice_id_of(C, Seq(2))]
    assert ids_of(lineage, Kinds.ERRORS) == of_a(1, 3, 4, 5)
    assert ids_of(lineage, Kinds.UNFINISHED) == [slice_id_of(C, Seq(2))]


def test_reading_goes_on_behind_any_slice(state: StateStore, place: Place) -> None:
    write(state, A, inserts=[own(seq, BAD if seq % 3 else DONE) for seq in range(1, 30)])
    write(state, B, copies=[copied(seq, OPEN, of=A, made_as=seq * 6 - 1) for seq in range(1, 4)])
    everything = ids_of(Lineage([A, B], place), Kinds.ALL, limit=4)
    assert len(everything) == 20
    for place_of, slice_id in enumerate(everything, 1):
        rest = ids_of(Lineage([A, B], place), Kinds.ALL, after=slice_id, limit=3)
        assert rest == everything[place_of:]


def test_what_a_newer_execution_took_up_completely_is_read_there_alone(
    state: StateStore, place: Place
) -> None:
    write(state, A, inserts=[own(1, BAD), own(2, OPEN), own(3, OPEN)])
    write(state, B, copies=[copied(1, OPEN, of=A, made_as=2)], taken_up=Kinds.UNFINISHED)
    read: list[str] = []

    def noted(ex_id: str) -> StorePlace:
        read.append(ex_id)
        return place(ex_id)

    assert ids_of(Lineage([A, B], noted), Kinds.UNFINISHED) == of_a(2)
    assert set(read) == {B}
    assert ids_of(Lineage([A, B], noted), Kinds.ERRORS) == of_a(1)
    assert set(read) == {A, B}


def test_slicers_stand_where_the_newest_execution_says(state: StateStore, place: Place) -> None:
    write(state, A, slicers=[(0, 7, b"7", b"seven", 0), (1, 3, b"3", None, 1)])
    write(state, B, slicers=[(0, 0, None, None, 0), (1, 0, None, None, 0)])
    expected = [
        SlicerRow(0, 7, b"7", b"seven", finished=False),
        SlicerRow(1, 3, b"3", None, finished=True),
    ]
    assert Lineage([A, B, C], place).positions() == expected
    assert Lineage([B, C], place).positions() == []


def test_a_page_is_no_larger_than_can_be_written_at_once(state: StateStore, place: Place) -> None:
    row = list(own(1, OPEN))
    row[3] = b"1" * 900_000
    rows = [(seq, *row[1:]) for seq in range(1, 12)]
    write(state, A, inserts=rows)
    pages = list(Lineage([A], place).pages(Kinds.ALL))
    assert [len(page.slices) for page in pages] == [4, 4, 3]


def test_an_id_that_nobody_of_the_lineage_made_is_an_error(state: StateStore, place: Place) -> None:
    write(state, B, copies=[copied(1, OPEN, of=A, made_as=1)])
    with pytest.raises(StoreError, match="made by no execution of its lineage"):
        list(Lineage([B], place).pages(Kinds.ALL))
    with pytest.raises(StoreError, match="made by no execution of its lineage"):
        list(islice(Lineage([B], place).pages(Kinds.ALL, after="nonsense"), 1))


def test_copies_keep_their_ids_and_the_successor_finds_the_last_one(state: StateStore, place: Place) -> None:
    rows = [copied(1, OPEN, of=A, made_as=5), copied(2, OPEN, of=A, made_as=9)]
    write(state, B, copies=rows, inserts=[own(3, OPEN)], slicers=[(0, 3, b"3", None, 0)])
    successor = state.open_execution(B, generation=2)
    snapshot = successor.load()
    pending = successor.load_pending(0, 10)
    successor.close()
    assert (snapshot.head.copied, snapshot.last_copy) == (2, of_a(9)[0])
    assert [row.slice_id for row in pending] == [*of_a(5, 9), None]
    assert [row["slice_id"] for row in read_slices(place(B), state=None, size=2, offset=0)] == of_a(5, 9)


def test_inherited_positions_are_no_difference(state: StateStore, place: Place) -> None:
    rows = [copied(1, DONE, of=A, made_as=5)]
    write(state, B, copies=rows, slicers=[(0, 9, b"9", None, 0)], taken_up=Kinds.ALL)
    write(state, C, copies=rows, slicers=[(0, 9, b"9", None, 0)])
    assert verify_execution(place(B)).ok
    assert not verify_execution(place(C)).ok


async def test_a_lineage_is_found_from_each_of_its_executions(store: ClusterStore) -> None:
    job_id = new_id()
    await store.save([AddJob(JobRecord(job_id, "name", b"{}", created_ms=1, updated_ms=1))])
    lineages = {"a": "", "b": "a", "other": "", "c": "a", "later": "other"}
    for ex_id, first in lineages.items():
        row = ExecutionRow(ex_id, job_id, "name", 1, 1, ExecutionStatus.STOPPED, _WISHES, lineage=first)
        await store.save([AddExecution(row, b"{}")])
    for ex_id in ("a", "b", "c"):
        assert await store.lineage(ex_id) == ["a", "b", "c"]
    assert await store.lineage("other") == ["other", "later"]
    assert await store.lineage("nobody") == []
    assert (await store.execution("c")).row.lineage == "a"


_WISHES = Wishes(workers=1, paused=False, stopping=False, grace_ms=0)
