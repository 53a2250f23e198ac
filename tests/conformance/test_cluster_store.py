"""What every engine of the cluster store promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest

from sliceworks.master.search.fields import EXECUTIONS, JOBS
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.records import (
    AddExecution,
    AddJob,
    Change,
    DeleteJob,
    ExecutionRow,
    Fate,
    ForgetNode,
    JobRecord,
    NodeRecord,
    Order,
    Page,
    SaveExecution,
    SaveJob,
    SaveNode,
    SaveTotals,
    Totals,
)
from sliceworks.protocol.errors import ConflictError, GoneError, NotFoundError
from sliceworks.protocol.messages import OperationTotals, SliceCounts, Statistics, Wishes
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus

S = ExecutionStatus

DOCUMENT = orjson.dumps({"name": "one", "lifecycle": "once", "slicers": 1, "operations": []})


def job(name: str, number: int, **fields: object) -> JobRecord:
    document = orjson.dumps({"name": name, "operations": [], **fields})
    return JobRecord(f"job-{number}", name, document, created_ms=1_000 + number, updated_ms=2_000 + number)


def execution(
    number: int, job_number: int | None = None, status: ExecutionStatus = S.PENDING
) -> ExecutionRow:
    return ExecutionRow(
        ex_id=f"ex-{number}",
        job_id=f"job-{job_number or number}",
        name=f"name {number}",
        created_ms=1_000 + number,
        updated_ms=2_000 + number,
        status=status,
        wishes=Wishes(workers=number, paused=False, stopping=False, grace_ms=0),
    )


def full(row: ExecutionRow) -> ExecutionRow:
    """With a value in every field that may be empty."""
    return replace(
        row,
        status=S.STOPPING,
        wishes=Wishes(workers=9, paused=True, stopping=True, grace_ms=5, log_level="debug"),
        reason="waits",
        generation=7,
        secret=b"\x00secret",
        controller=Identity(12, 34, "boot"),
        port=4321,
        fate=Fate("stopped", "verdict"),
        failure="failure",
        has_errors=True,
        statistics=Statistics(processed=5, started="2026-11-21T21:14:18.606Z"),
        counts=SliceCounts(1, 2, 3, 4),
        operations=(OperationTotals(0, 1, 2, 3, 4, 5), OperationTotals(1, 6, 7, 8, 9, 10)),
        counted=Statistics(processed=4),
        placement={"node-1": 2, "node-2": 0},
    )


async def test_a_job_reads_as_it_was_saved(store: ClusterStore) -> None:
    saved = job("one", 1, extra={"a": [1, None]})
    await store.save([AddJob(saved)])
    assert await store.job("job-1") == saved


async def test_missing_documents_are_not_found(store: ClusterStore) -> None:
    with pytest.raises(NotFoundError, match="Could not find job nope"):
        await store.job("nope")
    with pytest.raises(NotFoundError, match="Could not find execution nope"):
        await store.execution("nope")
    assert await store.credentials("nope") is None
    assert await store.latest_executions(["nope"]) == {}


async def test_an_execution_reads_as_it_was_saved_last(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(1), DOCUMENT)])
    await store.save([SaveExecution(full(execution(1)))])
    stored = await store.execution("ex-1")
    assert stored.row == full(execution(1))
    assert stored.document == DOCUMENT


async def test_all_changes_of_a_save_are_made_or_none(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(1), DOCUMENT)])
    refused = store.save([AddJob(job("two", 2)), AddExecution(execution(2, job_number=1), DOCUMENT)])
    with pytest.raises(ConflictError, match="Job job-1 is currently running"):
        await refused
    with pytest.raises(NotFoundError):
        await store.job("job-2")
    with pytest.raises(NotFoundError):
        await store.execution("ex-2")


async def test_a_job_has_one_living_execution_at_most(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(1), DOCUMENT)])
    with pytest.raises(ConflictError):
        await store.save([AddExecution(execution(2, job_number=1), DOCUMENT)])
    await store.save([SaveExecution(replace(execution(1), status=S.STOPPED))])
    await store.save([AddExecution(execution(2, job_number=1), DOCUMENT)])
    assert {key: stored.row.ex_id for key, stored in (await store.latest_executions(["job-1"])).items()} == {
        "job-1": "ex-2"
    }


async def test_a_changed_job_reads_as_it_was_saved_last(store: ClusterStore) -> None:
    await store.save([AddJob(job("one", 1))])
    changed = replace(job("two", 1, workers=7), updated_ms=9_000)
    await store.save([SaveJob(changed, replaces_ms=2_001)])
    assert await store.job("job-1") == changed
    with pytest.raises(ConflictError, match="was changed at the same time"):
        await store.save([SaveJob(replace(changed, updated_ms=9_001), replaces_ms=2_001)])
    assert await store.job("job-1") == changed


async def test_a_deleted_job_takes_its_executions_with_it_and_starts_no_more(store: ClusterStore) -> None:
    ended = replace(execution(1), status=S.COMPLETED)
    await store.save(
        [AddJob(job("one", 1)), AddExecution(ended, DOCUMENT), AddExecution(execution(2), DOCUMENT)]
    )
    await store.save([DeleteJob("job-1", 9_000)])
    stored = await store.job("job-1")
    assert (stored.deleted_ms, stored.updated_ms, stored.document) == (9_000, 9_000, job("one", 1).document)
    assert (await store.execution("ex-1")).deleted_ms == 9_000
    assert (await store.execution("ex-2")).deleted_ms is None
    await store.save([SaveExecution(replace(ended, failure="told late"))])
    assert (await store.execution("ex-1")).deleted_ms == 9_000
    refused: list[tuple[Change, str]] = [
        (DeleteJob("job-1", 9_001), "Job job-1 has already been deleted."),
        (SaveJob(replace(stored, updated_ms=9_001), 9_000), "has been deleted and cannot be updated."),
        (AddExecution(execution(3, job_number=1), DOCUMENT), "has been deleted and cannot be started."),
    ]
    for change, text in refused:
        with pytest.raises(GoneError, match=text):
            await store.save([change])


async def test_a_refused_save_does_not_harm_those_around_it(store: ClusterStore) -> None:
    saves = [
        store.save([AddExecution(execution(1), DOCUMENT)]),
        store.save([AddExecution(execution(2, job_number=1), DOCUMENT)]),
        store.save([AddExecution(execution(3), DOCUMENT)]),
    ]
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ConflictError, type(None)]
    assert {stored.row.ex_id for stored in await store.executions(Page())} == {"ex-1", "ex-3"}


async def test_many_saves_at_once_keep_their_order(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(1), DOCUMENT)])
    rows = [replace(execution(1), reason=f"reason {number}") for number in range(200)]
    await asyncio.gather(*[store.save([SaveExecution(row)]) for row in rows])
    assert (await store.execution("ex-1")).row.reason == "reason 199"


@pytest.mark.parametrize("field", sorted(JOBS.orders))
async def test_jobs_sort_by_every_field_that_is_promised(store: ClusterStore, field: str) -> None:
    names = ("b", "c", "a")
    jobs = [
        job(name, number, workers=number, lifecycle="once", slicers=1, active=True)
        for number, name in enumerate(names, start=1)
    ]
    await store.save([AddJob(item) for item in jobs])
    page = Page(order=(Order(field), Order("job_id")))
    expected = ["job-3", "job-1", "job-2"] if field == "name" else ["job-1", "job-2", "job-3"]
    assert [item.job_id for item in await store.jobs(page)] == expected


@pytest.mark.parametrize("field", sorted(EXECUTIONS.orders))
async def test_executions_sort_by_every_field_that_is_promised(store: ClusterStore, field: str) -> None:
    await store.save([AddExecution(execution(number), DOCUMENT) for number in (1, 2, 3)])
    page = Page(order=(Order(field, descending=True), Order("ex_id", descending=True)))
    assert [stored.row.ex_id for stored in await store.executions(page)] == ["ex-3", "ex-2", "ex-1"]


async def test_lists_are_paged_newest_first(store: ClusterStore) -> None:
    await store.save([AddJob(job("x", number)) for number in range(1, 8)])
    assert [item.job_id for item in await store.jobs(Page(size=2, offset=1))] == ["job-6", "job-5"]
    assert await store.jobs(Page(size=0)) == []
    assert await store.jobs(Page(offset=10)) == []


async def test_jobs_that_do_not_say_are_active(store: ClusterStore) -> None:
    await store.save(
        [AddJob(job("a", 1)), AddJob(job("b", 2, active=True)), AddJob(job("c", 3, active=False))]
    )
    by_id = Page(order=(Order("job_id"),))
    assert [item.job_id for item in await store.jobs(by_id, active=True)] == ["job-1", "job-2"]
    assert [item.job_id for item in await store.jobs(by_id, active=False)] == ["job-3"]


async def test_executions_are_found_by_status(store: ClusterStore) -> None:
    await store.save(
        [AddExecution(execution(1), DOCUMENT), AddExecution(execution(2, status=S.FAILED), DOCUMENT)]
    )
    assert [item.row.ex_id for item in await store.executions(Page(), statuses=[S.FAILED, S.STOPPED])] == [
        "ex-2"
    ]
    assert await store.executions(Page(), statuses=[]) == []


async def test_executions_with_errors_of_a_job_or_of_all(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(number), DOCUMENT) for number in (1, 2, 3)])
    await store.save([SaveExecution(replace(execution(number), has_errors=True)) for number in (3, 1)])
    assert await store.executions_with_errors() == ["ex-1", "ex-3"]
    assert await store.executions_with_errors("job-3") == ["ex-3"]


async def test_a_snapshot_has_what_lives_or_may_have_a_controller(store: ClusterStore) -> None:
    ended = replace(execution(2, status=S.COMPLETED), controller=Identity(1, 2, "boot"))
    await store.save(
        [
            AddExecution(execution(3), DOCUMENT),
            AddExecution(ended, DOCUMENT),
            AddExecution(execution(1, status=S.COMPLETED), DOCUMENT),
        ]
    )
    snapshot = await store.load()
    assert [stored.row.ex_id for stored in snapshot.executions] == ["ex-3", "ex-2"]
    assert len(snapshot.key) == 32
    assert snapshot.key == (await store.load()).key


async def test_nodes_and_totals_are_kept(store: ClusterStore) -> None:
    node = NodeRecord(
        "node-1", "first", "host", pid=1, slots=2, python_version="3.11", sliceworks_version="1"
    )
    totals = Totals(1, 2, 3, 4, 5, 6)
    await store.save([SaveNode(node), SaveTotals(totals), SaveNode(replace(node, node_id="node-2"))])
    await store.save([SaveNode(replace(node, incarnation="second")), ForgetNode("node-2")])
    snapshot = await store.load()
    assert snapshot.nodes == (replace(node, incarnation="second"),)
    await store.save([SaveNode(replace(node, drained=True))])
    assert (await store.load()).nodes == (replace(node, drained=True),)
    assert snapshot.totals == totals


async def test_credentials_are_those_of_the_newest_generation(store: ClusterStore) -> None:
    await store.save([AddExecution(execution(1), DOCUMENT)])
    await store.save([SaveExecution(full(execution(1)))])
    credentials = await store.credentials("ex-1")
    assert credentials is not None
    assert (credentials.generation, credentials.secret, credentials.status) == (7, b"\x00secret", S.STOPPING)
