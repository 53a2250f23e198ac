"""Lists of every engine: what is deleted, what is searched, in which order, and what costs too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest

from sliceworks.master.search.conditions import Condition, resolve
from sliceworks.master.search.fields import EXECUTIONS, JOBS, SLICES, FieldSet
from sliceworks.master.search.syntax import parse
from sliceworks.master.store import budget, lists, postgres, sqlite
from sliceworks.master.store.batch import Batch, Group, Head, Row
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.history import read_list
from sliceworks.master.store.lists import AS_MADE, SliceList
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.records import (
    AddExecution,
    AddJob,
    DeleteJob,
    ExecutionRow,
    JobRecord,
    Order,
    Page,
    SaveExecution,
)
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import Statistics, Wishes
from sliceworks.protocol.states import ExecutionStatus, ResultKind, SliceState

S = ExecutionStatus
EX_ID = ExId("0b5309f9-35d7-444a-be97-55e4de4aef41")
COPIED = "7f2a8bde-6a0f-4d30-a9d5-92ddf1f3d7ab"
BY_ID = (Order("job_id"),)


def job(number: int, **fields: object) -> JobRecord:
    document = {"name": f"job {number}", "operations": [{"_op": "reader"}, {"_op": "noop"}], **fields}
    return JobRecord(f"job-{number}", f"job {number}", orjson.dumps(document), 1_000 * number, 2_000 * number)


def execution(number: int, **fields: Any) -> ExecutionRow:
    wishes = Wishes(workers=number, paused=False, stopping=False, grace_ms=0)
    row = ExecutionRow(f"ex-{number}", f"job-{number}", f"job {number}", number, number, S.FAILED, wishes)
    return replace(row, **fields)


def meant(text: str, fields: FieldSet = JOBS) -> Condition:
    return resolve(parse(text), fields, now_ms=10_000)


@pytest.fixture
async def jobs(store: ClusterStore) -> ClusterStore:
    """Three jobs, the second deleted, the third inactive."""
    records = [job(1, labels={"team": "x"}, workers=5), job(2), job(3, active=False, labels={"team": "y"})]
    await store.save([AddJob(record) for record in records])
    await store.save(
        [AddExecution(execution(number), record.document) for number, record in enumerate(records, 1)]
    )
    await store.save([DeleteJob("job-2", 7_000)])
    return store


async def test_deleted_documents_have_lists_of_their_own(jobs: ClusterStore) -> None:
    assert [item.job_id for item in await jobs.jobs(Page(order=BY_ID))] == ["job-1", "job-3"]
    assert [item.job_id for item in await jobs.jobs(Page(), deleted=True)] == ["job-2"]
    assert await jobs.jobs(Page(), deleted=True, active=True) == []
    assert [item.job_id for item in await jobs.jobs(Page(), deleted=True, active=False)] == ["job-2"]
    assert [item.row.ex_id for item in await jobs.executions(Page(order=BY_ID))] == ["ex-1", "ex-3"]
    assert [item.row.ex_id for item in await jobs.executions(Page(), deleted=True)] == ["ex-2"]
    assert await jobs.executions(Page(), deleted=True, statuses=[S.RUNNING]) == []


@pytest.mark.parametrize(
    ("text", "deleted", "found"),
    [
        ("labels.team:x", False, [1]),
        ("labels.team:*", False, [1, 3]),
        ("operations._op:noop AND -labels.team:y", False, [1]),
        ("active:false", False, [3]),
        ("active:false", True, [2]),
        ("NOT active:false", False, [1]),
        ("_exists_:workers", False, [1]),
        ("workers:[2 TO 9]", False, [1]),
        ('name:"job 3"', False, [3]),
        ("reader", False, [1, 3]),
        ("_deleted:true AND _deleted_on:[6000000 TO *]", True, []),
        ("_deleted:true AND _deleted_on:[* TO 1970-01-01T00:00:07Z]", True, [2]),
        ("_exists_:_deleted_on", False, []),
        ("_created:>1970-01-01T00:00:02", False, [3]),
        ("_updated:<now-1s", False, [1, 3]),
        ("_updated:<now-5s", False, [1]),
        ("_context:job", False, [1, 3]),
        ("*", False, [1, 3]),
    ],
)
async def test_jobs_are_searched(jobs: ClusterStore, text: str, deleted: bool, found: list[int]) -> None:
    page = Page(order=BY_ID, matching=meant(text))
    assert [item.job_id for item in await jobs.jobs(page, deleted=deleted)] == [f"job-{n}" for n in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("_status:failed", [1, 3]),
        ("_status:run* OR _has_errors:true", [3]),
        ('_failureReason:"OUT of"', [3]),
        ("_slicer_stats.failed:>1", [3]),
        ("NOT _slicer_stats.failed:>1", [1]),
        ("workers:(1 OR 3) AND NOT slicer_port:*", [1]),
        ("slicer_port:4321", [3]),
        ("labels.team:(x OR z)", [1]),
        ("waits", []),
    ],
)
async def test_executions_are_searched(jobs: ClusterStore, text: str, found: list[int]) -> None:
    changed = execution(
        3,
        reason="waits",
        failure="it ran out of luck",
        has_errors=True,
        port=4321,
        statistics=Statistics(failed=2),
    )
    await jobs.save([SaveExecution(changed)])
    page = Page(order=BY_ID, matching=meant(text, EXECUTIONS))
    assert [item.row.ex_id for item in await jobs.executions(page)] == [f"ex-{n}" for n in found]


async def test_what_takes_too_long_is_ended(
    jobs: ClusterStore, state: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MAX_READ_SECONDS", -1)
    monkeypatch.setattr(sqlite, "_STEPS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(postgres, "MAX_READ_SECONDS", 0.001)
    many = " ".join(f"x{number}.y.z:a*" for number in range(60))
    records = [job(number, text="x" * 20_000) for number in range(10, 40)]
    await jobs.save([AddJob(record) for record in records])
    with pytest.raises(InvalidError, match="make the filter narrower"):
        await jobs.jobs(Page(matching=meant(many)))
    monkeypatch.undo()
    assert await jobs.jobs(Page(matching=meant("name:nope"))) == []


# --- slices -------------------------------------------------------------------------------------------------


@pytest.fixture
def place(state: StateStore) -> Iterator[StorePlace]:
    """Five slices: one waits, one is completed, three failed; the last of these was copied."""
    store = state.open_execution(EX_ID, generation=1)
    inserts: list[Row] = [
        (n, n % 2, n, b'{"n":%d,"tags":["a","t%d"]}' % (n, n), SliceState.START, 1, n, n, 1, n)
        for n in range(1, 6)
    ]
    inserts[4] = (5, 1, 5, b"[1]", SliceState.PENDING, 0, 5, 5, None, None)
    copy = (6, 0, 6, b'"text"', SliceState.PENDING, 0, 6, 6, None, None, COPIED)
    ends = [
        (SliceState.ERROR, 30, 3, 0, "failed", 2),
        (SliceState.ERROR, 20, 1, 0, "timeout", 3),
        (SliceState.ERROR, 40, 0, 3, "poison", 6),
        (SliceState.COMPLETED, 50, 1, 0, None, 1),
    ]
    firsts = [
        (7, 2, 1, 9, ResultKind.ERROR, "first text", "op", None, None, None, 2),
        (7, 3, 1, 9, ResultKind.ERROR, "Only text", "op", None, None, None, 3),
    ]
    again = Group(new_attempts=[(2, 2, 1, 10)])
    last = Group(later_attempts=[(7, 10, 1, 30, ResultKind.ERROR, "last text", "op", None, None, None, 2, 2)])
    lease = Group(later_leases=[(2, 10, 2)])
    groups = [
        Group(inserts=inserts, copies=[copy]),
        lease,
        again,
        last,
        Group(ends=ends, first_attempts=firsts),
    ]
    head = {**asdict(Head()), "pending": 1, "start": 1, "completed": 1, "error": 3, "floor_seq": 4}
    store.apply(Batch(1, head, groups, [], [(1, "node-1", "first", "host")], []))
    store.close()
    with state.place(EX_ID) as where:
        yield where


def orders(place: StorePlace, text: str, *order: Order, state: SliceState | None = None) -> list[int]:
    page = Page(order=order or AS_MADE, matching=meant(text, SLICES) if text else None)
    return [record["slicer_order"] for record in read_list(place, SliceList(page, state))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("state:(error OR pending)", [2, 3, 5, 6]),
        ("-state:error", [1, 4, 5]),
        ("request.n:>=3", [3, 4]),
        ("request.tags:t2", [2]),
        ('request:"\\"tags\\""', [1, 2, 3, 4]),
        ("reason:t*", [3]),
        ("NOT _exists_:reason", [1, 4, 5]),
        ("error:last", [2]),
        ("error:first", []),
        ("error:ONLY", [3]),
        ("error:poison", [6]),
        ("retry_count:[1 TO 5]", [1, 2]),
        (f"slice_id:{slice_id_of(EX_ID, Seq(4))}", [4]),
        (f"slice_id:({COPIED} OR {slice_id_of(EX_ID, Seq(1))})", [1, 6]),
        (f"NOT slice_id:{COPIED}", [1, 2, 3, 4, 5]),
        (COPIED, [6]),
        ("_exists_:slice_id AND slicer_id:1", [1, 3, 5]),
        (f"ex_id:{EX_ID} AND _created:[* TO 1970-01-01T00:00:00.002Z]", [1, 2]),
        ("_updated:1970-01-01T00:00:00.04Z", [6]),
    ],
)
def test_slices_are_searched(place: StorePlace, text: str, found: list[int]) -> None:
    assert orders(place, text) == found


def test_slices_are_sorted(place: StorePlace) -> None:
    assert orders(place, "", Order("_created", descending=True)) == [6, 5, 4, 3, 2, 1]
    assert orders(place, "", Order("_updated", descending=True), state=SliceState.ERROR) == [6, 2, 3]
    assert orders(place, "", Order("_created"), state=SliceState.ERROR) == [2, 3, 6]
    assert orders(place, "", Order("reason"), state=SliceState.ERROR) == [2, 6, 3]
    assert orders(place, "", Order("state"), Order("slicer_id", descending=True)) == [1, 3, 6, 2, 5, 4]
    assert orders(place, "", Order("reason", descending=True))[:3] == [3, 6, 2]


def test_slices_in_a_state(place: StorePlace) -> None:
    assert orders(place, "", state=SliceState.PENDING) == [5]
    assert orders(place, "", state=SliceState.START) == [4]
    assert orders(place, "", state=SliceState.COMPLETED) == [1]
    assert orders(place, "request.n:2", state=SliceState.COMPLETED) == []


def test_where_there_are_many_a_list_keeps_to_its_key(
    place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MAX_SEARCHED", 2)
    for order in ((Order("_updated"),), (Order("_created"), Order("reason"))):
        with pytest.raises(InvalidError, match="above 2 they can be sorted by _created alone"):
            orders(place, "", *order)
    with pytest.raises(InvalidError, match="has 6 such slices"):
        orders(place, "request:a")
    with pytest.raises(InvalidError, match="above 2 they can be sorted by _updated alone"):
        orders(place, "", Order("reason"), state=SliceState.ERROR)
    assert orders(place, "", Order("_updated"), state=SliceState.ERROR) == [3, 2, 6]
    assert orders(place, "", Order("_created"), state=SliceState.ERROR) == [2, 3, 6]
    assert orders(place, f"slice_id:{COPIED}") == [6]
    assert orders(place, "request:a", Order("state"), state=SliceState.COMPLETED) == [1]


async def test_a_list_of_large_documents_is_refused_before_it_is_held(
    store: ClusterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "MAX_LIST_BYTES", 2_500)
    jobs = [JobRecord(f"job-{n}", "x", orjson.dumps({"pad": "x" * 990}), 1, 1) for n in range(3)]
    await store.save([AddJob(job) for job in jobs])
    assert len(await store.jobs(Page(size=2))) == 2
    with pytest.raises(InvalidError, match="more than 2500 bytes: ask for fewer"):
        await store.jobs(Page(size=3))
    assert len(await store.jobs(Page(size=2))) == 2
