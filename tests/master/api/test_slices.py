"""Slices and errors over HTTP, from stores that a controller would have written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.master.store import lists
from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.protocol.messages import SliceCounts, Statistics
from sliceworks.protocol.states import ResultKind, SliceState
from tests.master.played import PlayedMaster

Failures = Callable[[str, Sequence[int]], None]


@pytest.fixture
def failures(tmp_path: Path) -> Failures:
    """Writes slices into the store of an execution, that failed at these times; seq 1 failed first."""

    def write(ex_id: str, times_ms: Sequence[int]) -> None:
        store = ExecutionStore.open(
            store_path(tmp_path, ex_id), ex_id=ex_id, generation=1, durability="process"
        )
        numbered = list(enumerate(times_ms, start=1))
        inserts = [
            (seq, seq % 2, seq, orjson.dumps({"id": seq}), SliceState.START, 1, 5, 5, 1, 5)
            for seq, _ in numbered
        ]
        ends = [(SliceState.ERROR, time_ms, seq % 3, 0, "failed", seq) for seq, time_ms in numbered]
        attempts = [
            (7, time_ms, 1, time_ms, ResultKind.ERROR, f"Bad thing {seq}", "op", None, None, None, seq)
            for seq, time_ms in numbered
        ]
        group = Group(inserts=inserts, ends=ends, first_attempts=attempts)
        head = {**asdict(Head()), "error": len(numbered)}
        store.apply(Batch(1, head, [group], [], [(1, "node-1", "first", "host")], []))
        store.close()

    return write


def times(records: Sequence[dict[str, Any]]) -> list[int]:
    return [int(datetime.fromisoformat(record["_updated"]).timestamp() * 1000) for record in records]


async def fail(master: PlayedMaster, job_id: str | None = None) -> dict[str, str]:
    """An execution that had errors and has ended."""
    if job_id is None:
        started = await master.submit()
    else:
        _, started = await master.ask("POST", f"/jobs/{job_id}/_start")
    async with master.controller(started["ex_id"]) as controller:
        await controller.concludes("failed", failure="bad", counts=SliceCounts(error=1))
        await master.wait_status(started["ex_id"], "failed")
    return started


async def with_errors(master: PlayedMaster, failures: Failures, times_ms: Sequence[int]) -> str:
    """An execution whose slices failed at these times."""
    ex_id = (await master.submit())["ex_id"]
    failures(ex_id, times_ms)
    return ex_id


async def test_errors_of_one_execution(master: PlayedMaster, failures: Failures) -> None:
    one = await with_errors(master, failures, [1, 3, 2])
    for path in (f"/ex/{one}/errors", f"/v1/ex/any/errors/{one}"):
        _, found = await master.ask("GET", path)
        assert times(found) == [3, 2, 1]
    _, found = await master.ask("GET", f"/ex/{one}/errors?sort=_updated:asc&size=1&from=1")
    assert times(found) == [2]
    status, answer = await master.ask("GET", "/ex/unknown/errors")
    assert (status, answer["message"]) == (404, "Could not find execution unknown")


@pytest.mark.parametrize(
    ("query", "orders"),
    [
        ("sort=slicer_order:desc", [4, 3, 2, 1]),
        ("sort=slicer_id,slicer_order:desc", [4, 2, 3, 1]),
        ("sort=retry_count:desc,_created", [2, 1, 3, 4]),
        ("sort=_created", [1, 2, 3, 4]),
        ("sort=_created&filter=error:(%22bad thing 2%22 OR %22THING 4%22)", [2, 4]),
        ("sort=_created&filter=request.id:>2", [3, 4]),
        ("sort=_created&filter=request:*id*3*", [3]),
        ("sort=_created&filter=reason:failed AND -retry_count:0", [2]),
        ("sort=_created&filter=thing", [1, 2, 3, 4]),
        ("filter=reason:timeout", []),
    ],
)
async def test_errors_are_sorted_and_filtered(
    master: PlayedMaster, failures: Failures, query: str, orders: list[int]
) -> None:
    one = await with_errors(master, failures, [10, 10, 20, 5])
    status, found = await master.ask("GET", f"/ex/{one}/errors?{query}")
    assert (status, [item["slicer_order"] for item in found]) == (200, orders)


async def test_a_slice_is_found_by_its_id(master: PlayedMaster, failures: Failures) -> None:
    one = await with_errors(master, failures, [10, 20, 30])
    _, found = await master.ask("GET", f"/ex/{one}/errors?sort=_created")
    for record in found:
        assert await master.ask("GET", f"/ex/{one}/errors?filter=slice_id:{record['slice_id']}") == (
            200,
            [record],
        )
    assert await master.ask("GET", f"/ex/{one}/errors?filter=slice_id:nope") == (200, [])


async def test_records_of_errors_have_all_fields(master: PlayedMaster, failures: Failures) -> None:
    one = await with_errors(master, failures, [10])
    _, (record,) = await master.ask("GET", f"/ex/{one}/errors")
    (attempt,) = record.pop("attempts")
    assert attempt == {
        "epoch": 1,
        "start": record["_updated"],
        "end": record["_updated"],
        "run_us": 1,
        "node": "node-1",
        "worker": 7,
        "outcome": "error",
        "error": "Bad thing 1",
        "op": "op",
    }
    assert record == {
        "slice_id": record["slice_id"],
        "slicer_id": 1,
        "slicer_order": 1,
        "request": '{"id":1}',
        "state": "error",
        "ex_id": one,
        "_created": "1970-01-01T00:00:00.005Z",
        "_updated": "1970-01-01T00:00:00.010Z",
        "retry_count": 0,
        "reason": "failed",
        "error": "Bad thing 1",
    }


async def test_errors_of_a_job_and_of_all(master: PlayedMaster, failures: Failures) -> None:
    async with master.node():
        first = await fail(master)
        other = await fail(master)
        second = await fail(master, first["job_id"])
    failures(first["ex_id"], range(1, 121, 2))
    failures(second["ex_id"], range(2, 122, 2))
    failures(other["ex_id"], [500])
    _, found = await master.ask("GET", f"/jobs/{first['job_id']}/errors?size=3")
    assert times(found) == [120, 119, 118]
    _, found = await master.ask("GET", f"/jobs/{first['job_id']}/errors?sort=_updated:asc&size=2&from=110")
    assert times(found) == [111, 112]
    _, found = await master.ask(
        "GET", f"/jobs/{first['job_id']}/errors?sort=retry_count:desc,_updated&size=3"
    )
    assert [(item["retry_count"], time) for item, time in zip(found, times(found), strict=True)] == [
        (1, 3),
        (1, 4),
        (1, 9),
    ]
    _, found = await master.ask("GET", "/v1/ex/errors?size=2")
    assert times(found) == [500, 120]
    _, found = await master.ask("GET", f"/ex/errors?sort=_updated:asc&filter=-ex_id:{first['ex_id']}&size=1")
    assert times(found) == [2]


async def test_errors_of_a_job_that_never_ran(master: PlayedMaster) -> None:
    status, answer = await master.ask("GET", "/jobs/nope/errors")
    assert (status, answer["message"]) == (404, "Could not find job nope")


async def test_slices_of_an_execution_that_made_none(master: PlayedMaster) -> None:
    started = await master.submit()
    assert await master.ask("GET", f"/ex/{started['ex_id']}/slices") == (200, [])
    assert await master.ask("GET", f"/ex/{started['ex_id']}/slices/_count") == (
        200,
        {"pending": 0, "start": 0, "completed": 0, "error": 0},
    )


async def test_slices_of_an_execution_that_does_not_exist(master: PlayedMaster) -> None:
    for path in ("/ex/nope/slices", "/ex/nope/slices/_count"):
        assert (await master.ask("GET", path))[0] == 404


async def test_above_a_number_of_slices_a_list_keeps_to_its_key(
    master: PlayedMaster, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await with_errors(master, failures, [10, 20, 30])
    monkeypatch.setattr(lists, "MAX_SEARCHED", 2)
    for query in ("sort=reason", "filter=request:1", "sort=_updated,reason"):
        status, answer = await master.ask("GET", f"/ex/{one}/errors?{query}")
        assert (status, answer["message"].split(":")[0]) == (400, f"execution {one} has 3 such slices")
    for query in ("", "sort=_updated:asc", "sort=_created", "filter=slice_id:nope"):
        assert (await master.ask("GET", f"/ex/{one}/errors?{query}"))[0] == 200


@pytest.mark.parametrize(
    "query", ["state=bogus", "size=x", "sort=slice_id:asc", "from=-1", "filter=nope:1", "filter=a AND"]
)
async def test_bad_options_of_a_list_of_slices(master: PlayedMaster, query: str) -> None:
    started = await master.submit()
    status, answer = await master.ask("GET", f"/ex/{started['ex_id']}/slices?{query}")
    assert (status, answer["error"]) == (400, 400)


async def test_a_failing_execution_shows_its_statistics(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports(
                "failing", failure="why", statistics=Statistics(failed=1), counts=SliceCounts(error=1)
            )
            execution = await master.wait_status(started["ex_id"], "failing")
    assert execution["_failureReason"] == "why"
    assert execution["_has_errors"] is True
    assert execution["_slicer_stats"]["failed"] == 1
