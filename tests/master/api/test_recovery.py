"""Recovering over HTTP: what is refused, and what the new execution is."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import pytest

from sliceworks.master.store.batch import Batch, Head
from sliceworks.master.store.execution import ExecutionStore, store_path
from tests.master.played import JOB, PlayedMaster

UNRECOVERABLE = {**JOB, "operations": [{"_op": "test_reader"}, {"_op": "noop"}]}
PARALLEL = {**JOB, "slicers": 2}


async def ended(master: PlayedMaster, job: dict[str, Any] | None = None) -> dict[str, str]:
    """A job that ran, and was stopped before it had a slot."""
    started = await master.submit(job)
    status, answer = await master.ask("POST", f"/ex/{started['ex_id']}/_stop")
    assert (status, answer) == (200, {"status": "stopped"})
    return started


async def execution_of(master: PlayedMaster, ex_id: str) -> dict[str, Any]:
    status, execution = await master.ask("GET", f"/ex/{ex_id}")
    assert status == 200
    return dict(execution)


async def recovered(master: PlayedMaster, path: str, **query: str) -> dict[str, Any]:
    """Recover; the new execution, which is stopped again."""
    status, answer = await master.ask("POST", f"{path}/_recover", params=query)
    assert status == 200, answer
    assert set(answer) == {"job_id", "ex_id"}
    execution = await execution_of(master, answer["ex_id"])
    assert (execution["job_id"], execution["_status"]) == (answer["job_id"], "pending")
    await master.ask("POST", f"/ex/{answer['ex_id']}/_stop")
    return execution


def sliced(master: PlayedMaster, ex_id: str, *, finished: bool) -> None:
    """As if two slicers of it had made five slices each."""
    path = store_path(master.settings.data_dir, ex_id)
    store = ExecutionStore.open(path, ex_id=ex_id, generation=1, durability="process")
    slicers = [(slicer_id, 5, b"{}", None, int(finished)) for slicer_id in range(2)]
    store.apply(Batch(1, asdict(Head()), [], slicers, [], []))
    store.close()


@pytest.mark.parametrize("noun", ["ex", "jobs"])
@pytest.mark.parametrize("option", ["cleanup_type", "cleanup"])
async def test_a_cleanup_type_that_does_not_exist_is_refused(
    master: PlayedMaster, noun: str, option: str
) -> None:
    answer = await master.ask("POST", f"/{noun}/whatever/_recover", params={option: "everything"})
    message = "cleanup_type must be empty or set to all, errors, pending"
    assert answer == (400, {"error": 400, "message": message})


async def test_what_does_not_exist_cannot_be_recovered(master: PlayedMaster) -> None:
    for path, message in (
        ("/ex/nope", "Could not find execution nope"),
        ("/v1/jobs/nope", "Could not find job nope"),
    ):
        answer = await master.ask("POST", f"{path}/_recover")
        assert answer == (404, {"error": 404, "message": message})


async def test_a_job_that_never_ran_has_nothing_to_recover(master: PlayedMaster) -> None:
    job_id = (await master.submit(start="false"))["job_id"]
    answer = await master.ask("POST", f"/jobs/{job_id}/_recover")
    message = f"Job {job_id} is missing an execution to recover from"
    assert answer == (404, {"error": 404, "message": message})


async def test_nothing_is_recovered_while_the_job_runs(master: PlayedMaster) -> None:
    first = await ended(master)
    await master.ask("POST", f"/jobs/{first['job_id']}/_start")
    for path in (f"/ex/{first['ex_id']}", f"/jobs/{first['job_id']}"):
        status, answer = await master.ask("POST", f"{path}/_recover")
        assert status == 409
        assert answer["message"].endswith(
            "is currently running, cannot have the same job concurrently running"
        )


async def test_a_deleted_job_cannot_be_recovered(master: PlayedMaster) -> None:
    first = await ended(master)
    await master.ask("DELETE", f"/jobs/{first['job_id']}")
    message = f"Job {first['job_id']} has been deleted and cannot be recovered."
    for path in (f"/ex/{first['ex_id']}", f"/jobs/{first['job_id']}"):
        answer = await master.ask("POST", f"{path}/_recover")
        assert answer == (410, {"error": 410, "message": message})


async def test_the_new_execution_says_what_it_recovers(master: PlayedMaster) -> None:
    first = await ended(master)
    second = await recovered(master, f"/ex/{first['ex_id']}", cleanup_type="errors")
    assert second["recovered_execution"] == first["ex_id"]
    assert second["recovered_slice_type"] == "errors"
    third = await recovered(master, f"/v1/jobs/{first['job_id']}", cleanup_type="")
    assert third["recovered_execution"] == second["ex_id"]
    assert "recovered_slice_type" not in third
    fourth = await recovered(master, f"/ex/{first['ex_id']}", cleanup="pending")
    assert (fourth["recovered_execution"], fourth["recovered_slice_type"]) == (first["ex_id"], "pending")


async def test_an_execution_is_recovered_as_it_was_and_a_job_as_it_is(master: PlayedMaster) -> None:
    first = await ended(master, {**JOB, "extra": 1})
    await master.ask("PUT", f"/jobs/{first['job_id']}", json={**JOB, "name": "changed", "workers": 3})
    as_it_was = await recovered(master, f"/ex/{first['ex_id']}")
    assert (as_it_was["name"], as_it_was["workers"], as_it_was["extra"]) == (JOB["name"], 2, 1)
    as_it_is = await recovered(master, f"/jobs/{first['job_id']}")
    assert (as_it_is["name"], as_it_is["workers"], "extra" in as_it_is) == ("changed", 3, False)


@pytest.mark.parametrize("cleanup_type", ["", "errors"])
async def test_a_reader_that_is_not_recoverable_is_refused_unless_slicing_had_finished(
    master: PlayedMaster, cleanup_type: str
) -> None:
    first = await ended(master, UNRECOVERABLE)
    sliced(master, first["ex_id"], finished=False)
    status, answer = await master.ask(
        "POST", f"/ex/{first['ex_id']}/_recover", params={"cleanup_type": cleanup_type}
    )
    assert status == 400
    assert "the reader test_reader is not recoverable" in answer["message"]
    second = await ended(master, UNRECOVERABLE)
    sliced(master, second["ex_id"], finished=True)
    await recovered(master, f"/ex/{second['ex_id']}", cleanup_type=cleanup_type)


async def test_slicers_keep_their_number_until_slicing_has_finished(master: PlayedMaster) -> None:
    for finished, slicers in ((False, 2), (True, 3)):
        first = await ended(master, PARALLEL)
        await master.ask("PUT", f"/jobs/{first['job_id']}", json={**JOB, "slicers": 3})
        sliced(master, first["ex_id"], finished=finished)
        assert (await recovered(master, f"/jobs/{first['job_id']}"))["slicers"] == slicers
    untouched = await ended(master, PARALLEL)
    await master.ask("PUT", f"/jobs/{untouched['job_id']}", json={**JOB, "slicers": 3})
    assert (await recovered(master, f"/jobs/{untouched['job_id']}"))["slicers"] == 3


async def test_a_job_with_autorecover_recovers_whenever_it_is_started(master: PlayedMaster) -> None:
    first = await master.submit({**JOB, "autorecover": True})
    assert "recovered_execution" not in await execution_of(master, first["ex_id"])
    await master.ask("POST", f"/ex/{first['ex_id']}/_stop")
    status, answer = await master.ask("POST", f"/jobs/{first['job_id']}/_start")
    assert status == 200
    second = await execution_of(master, answer["ex_id"])
    assert second["recovered_execution"] == first["ex_id"]
    assert second["recovered_slice_type"] == "pending"


async def test_a_job_with_autorecover_that_never_ran_is_started(master: PlayedMaster) -> None:
    job_id = (await master.submit({**JOB, "autorecover": True}, start="false"))["job_id"]
    status, answer = await master.ask("POST", f"/jobs/{job_id}/_recover")
    assert status == 200
    assert "recovered_execution" not in await execution_of(master, answer["ex_id"])


async def test_a_job_cannot_say_that_it_recovers(master: PlayedMaster) -> None:
    """A client may post the document of an execution again."""
    posted = {**JOB, "recovered_execution": "x", "recovered_slice_type": "errors"}
    started = await master.submit(posted)
    assert "recovered_execution" not in await execution_of(master, started["ex_id"])


async def test_of_two_recoveries_at_once_one_is_refused(master: PlayedMaster) -> None:
    first = await ended(master)
    asks = [master.ask("POST", f"/ex/{first['ex_id']}/_recover") for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask, name="recover") for ask in asks]
    assert sorted(task.result()[0] for task in tasks) == [200, 409, 409]
