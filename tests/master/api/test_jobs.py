"""Jobs over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.master.played import JOB, PlayedMaster

DEEP = b'{"a": ' * 101 + b"1" + b"}" * 101


async def test_a_posted_job_is_stored_as_posted_and_started(master: PlayedMaster) -> None:
    started = await master.submit({**JOB, "extra": {"kept": True}})
    status, job = await master.ask("GET", f"/v1/jobs/{started['job_id']}")
    assert status == 200
    stored = {name: value for name, value in job.items() if not name.startswith("_") and name != "job_id"}
    assert stored == {**JOB, "extra": {"kept": True}}
    assert (job["_context"], job["job_id"]) == ("job", started["job_id"])
    assert job["_created"] == job["_updated"]
    assert job["_created"].endswith("Z")
    status, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    assert (status, execution["_status"]) == (200, "pending")


async def test_a_job_need_not_be_started(master: PlayedMaster) -> None:
    stored = await master.submit(start="false")
    assert list(stored) == ["job_id"]
    status, answer = await master.ask("GET", f"/jobs/{stored['job_id']}/ex")
    assert (status, answer["message"]) == (404, f"No execution was found for job {stored['job_id']}")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
async def test_a_body_is_json_whatever_its_type_says(master: PlayedMaster, content_type: str) -> None:
    body = b'{"operations": [{"_op": "data_generator"}, {"_op": "noop"}]}'
    status, _ = await master.ask("POST", "/jobs", data=body, headers={"Content-Type": content_type})
    assert status == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"name": ', 400, "the json submitted is malformed"),
        (b'"\xff"', 400, "the json submitted is malformed"),
        (b"[" * 100_000, 400, "the json submitted is malformed"),
        (DEEP, 400, "the json submitted is nested too deep: 100 levels at most"),
        (b"[1]", 400, "the json submitted must be an object"),
        (b"", 400, "No job was posted"),
        (b"{}", 400, "No job was posted"),
        (b'{"name": "x"}', 400, "No job was posted"),
        (b'{"job_id": "x", "operations": []}', 422, "Job cannot include a job_id on submit"),
    ],
)
async def test_what_is_no_job_is_refused(
    master: PlayedMaster, body: bytes, status: int, message: str
) -> None:
    assert await master.ask("POST", "/jobs", data=body) == (status, {"error": status, "message": message})


async def test_a_body_that_is_not_encoded_as_it_says_is_refused(master: PlayedMaster) -> None:
    async def body() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.1)  # the head has been read, and the body is waited for
        yield b"{}" * 10

    status, answer = await master.ask("POST", "/jobs", data=body(), headers={"Content-Encoding": "gzip"})
    assert status == 400
    assert answer["message"].startswith("the body cannot be read")


async def test_the_deepest_job_that_is_taken_is_also_shown(master: PlayedMaster) -> None:
    deep: object = 1
    for _ in range(99):
        deep = [deep]
    started = await master.submit({**JOB, "deep": deep})
    for path in ("/jobs?ex=", f"/jobs/{started['job_id']}?ex=", "/ex"):
        assert (await master.ask("GET", path))[0] == 200


async def test_no_job_has_more_assets_than_can_be_looked_up(master: PlayedMaster) -> None:
    status, answer = await master.ask("POST", "/jobs", json={**JOB, "assets": ["a"] * 101})
    assert (status, answer["faults"]) == (
        400,
        [{"path": "assets", "message": "a job has 100 assets at most, got 101"}],
    )


async def test_every_fault_of_a_job_is_named(master: PlayedMaster) -> None:
    job = {"workers": 0, "operations": [{"_op": "data_generator"}, {"_op": "nowhere"}]}
    status, answer = await master.ask("POST", "/jobs", json=job)
    assert (status, answer["error"]) == (400, 400)
    assert {fault["path"] for fault in answer["faults"]} == {"workers", "operations.1._op"}
    assert await master.ask("GET", "/jobs") == (200, [])


async def test_a_body_that_is_too_large_is_refused(master: PlayedMaster) -> None:
    status, answer = await master.ask("POST", "/jobs", data=BytesIO(b" " * (11 * 1024 * 1024)))
    assert (status, answer["error"]) == (413, 413)


async def test_a_job_runs_once_at_a_time(master: PlayedMaster) -> None:
    started = await master.submit()
    path = f"/jobs/{started['job_id']}/_start"
    status, answer = await master.ask("POST", path)
    assert status == 409
    assert "is currently running, cannot have the same job concurrently running" in answer["message"]
    await master.ask("POST", f"/ex/{started['ex_id']}/_stop")
    status, again = await master.ask("POST", path)
    assert (status, again["job_id"]) == (200, started["job_id"])
    status, latest = await master.ask("GET", f"/jobs/{started['job_id']}/ex")
    assert (status, latest["ex_id"]) == (200, again["ex_id"])


async def test_missing_jobs_are_not_found(master: PlayedMaster) -> None:
    for method, path in (("GET", "/jobs/nope"), ("POST", "/jobs/nope/_start")):
        assert await master.ask(method, path) == (404, {"error": 404, "message": "Could not find job nope"})


async def test_lists_are_sorted_and_paged(master: PlayedMaster) -> None:
    for name in ("b", "c", "a"):
        await master.submit({**JOB, "name": name}, start="false")
    _, jobs = await master.ask("GET", "/jobs?sort=name:desc&size=2&from=1")
    assert [job["name"] for job in jobs] == ["b", "a"]
    _, jobs = await master.ask("GET", "/jobs?sort=&size=&from=")
    assert len(jobs) == 3


@pytest.mark.parametrize(
    "query",
    [
        "size=abc",
        "size=-1",
        "from=1.5",
        "size=9999&from=2",
        "sort=bogus:asc",
        "sort=name:up",
        "deleted=bogus",
        "filter=name:(",
        "filter=active:maybe",
        "size=99999999999999999999",
    ],
)
async def test_bad_options_of_a_list_are_named(master: PlayedMaster, query: str) -> None:
    status, answer = await master.ask("GET", f"/jobs?{query}")
    assert status == 400
    assert query.partition("=")[0] in answer["message"]


async def test_jobs_by_activity(master: PlayedMaster) -> None:
    await master.submit({**JOB, "name": "off", "active": False}, start="false")
    await master.submit({**JOB, "name": "on"}, start="false")
    for active, names in (("true", ["on"]), ("false", ["off"]), ("", ["on", "off"])):
        _, jobs = await master.ask("GET", f"/jobs?active={active}&sort=name:desc")
        assert [job["name"] for job in jobs] == names


async def test_a_job_with_its_latest_execution(master: PlayedMaster) -> None:
    idle = await master.submit(start="false")
    started = await master.submit()
    _, job = await master.ask("GET", f"/jobs/{started['job_id']}?ex=_status,ex_id,nope")
    assert job["ex"] == {"_status": "pending", "ex_id": started["ex_id"]}
    _, job = await master.ask("GET", f"/jobs/{started['job_id']}?ex=")
    assert job["ex"]["_context"] == "ex"
    _, jobs = await master.ask("GET", "/jobs?ex=ex_id")
    assert {job["job_id"]: job["ex"] for job in jobs} == {
        idle["job_id"]: {},
        started["job_id"]: {"ex_id": started["ex_id"]},
    }


async def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    async with PlayedMaster.open(tmp_path) as before:
        started = await before.submit()
    async with PlayedMaster.open(tmp_path) as after:
        status, job = await after.ask("GET", f"/jobs/{started['job_id']}")
        assert (status, job["name"]) == (200, "played")
        status, answer = await after.ask("POST", f"/jobs/{started['job_id']}/_start")
        assert status == 409, answer


async def test_a_job_is_replaced_whole_and_keeps_its_identity(master: PlayedMaster) -> None:
    job_id = (await master.submit({**JOB, "old": 1}, start="false"))["job_id"]
    _, before = await master.ask("GET", f"/jobs/{job_id}")
    posted = {**JOB, "name": "new", "job_id": "another", "_created": "never"}
    status, changed = await master.ask("PUT", f"/jobs/{job_id}", json=posted)
    assert (status, changed["name"], changed["job_id"]) == (200, "new", job_id)
    assert changed["_created"] == before["_created"]
    assert changed["_updated"] > before["_updated"]
    assert "old" not in changed
    assert await master.ask("GET", f"/jobs/{job_id}") == (200, changed)


async def test_a_running_job_is_changed_for_its_next_execution(master: PlayedMaster) -> None:
    started = await master.submit()
    status, _ = await master.ask("PUT", f"/jobs/{started['job_id']}", json={**JOB, "name": "next"})
    assert status == 200
    _, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    assert execution["name"] == JOB["name"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "no data was provided to update job {job_id}"),
        (b"{bad", "the json submitted is malformed"),
        (b'{"workers": 3}', "operations"),
    ],
)
async def test_what_cannot_replace_a_job(master: PlayedMaster, body: bytes, text: str) -> None:
    job_id = (await master.submit(start="false"))["job_id"]
    before = await master.ask("GET", f"/jobs/{job_id}")
    status, answer = await master.ask("PUT", f"/jobs/{job_id}", data=body)
    assert status == 400
    assert text.format(job_id=job_id) in answer["message"]
    assert await master.ask("GET", f"/jobs/{job_id}") == before


async def test_a_job_is_put_away_and_taken_up_again(master: PlayedMaster) -> None:
    job_id = (await master.submit(start="false"))["job_id"]
    for verb, active in (("_inactive", False), ("_active", True)):
        status, job = await master.ask("POST", f"/jobs/{job_id}/{verb}")
        assert (status, job["active"]) == (200, active)


async def test_a_broken_job_can_be_put_away_but_not_taken_up(master: PlayedMaster) -> None:
    job_id = (await master.submit(start="false"))["job_id"]
    status, _ = await master.ask("PUT", f"/jobs/{job_id}", json={"active": False, "operations": []})
    assert status == 200
    status, answer = await master.ask("POST", f"/jobs/{job_id}/_active")
    assert (status, answer["faults"][0]["path"]) == (400, "operations")
    assert (await master.ask("POST", f"/jobs/{job_id}/_inactive"))[0] == 200


async def test_a_deleted_job_stays_readable_and_does_nothing_more(master: PlayedMaster) -> None:
    started = await master.submit()
    path, execution_path = f"/jobs/{started['job_id']}", f"/ex/{started['ex_id']}"
    status, answer = await master.ask("DELETE", path)
    assert status == 409
    assert answer["message"].endswith("is currently running, cannot delete a running job.")
    await master.ask("POST", f"{execution_path}/_stop")
    status, job = await master.ask("DELETE", path)
    assert (status, job["_deleted"], job["active"]) == (200, True, False)
    assert job["_deleted_on"].endswith("Z")
    assert await master.ask("GET", path) == (200, job)
    _, execution = await master.ask("GET", execution_path)
    assert (execution["_deleted"], execution["_deleted_on"]) == (True, job["_deleted_on"])
    for method, verb, text in (
        ("DELETE", "", "has already been deleted."),
        ("PUT", "", "has been deleted and cannot be updated."),
        ("POST", "/_active", "has been deleted and cannot be updated."),
        ("POST", "/_inactive", "has been deleted and cannot be updated."),
        ("POST", "/_start", "has been deleted and cannot be started."),
    ):
        expected = (410, {"error": 410, "message": f"Job {started['job_id']} {text}"})
        assert await master.ask(method, path + verb, json=JOB) == expected
    assert await master.ask("POST", f"{path}/_stop") == (200, {"status": "stopped"})


@pytest.mark.parametrize(("method", "verb"), [("PUT", ""), ("DELETE", ""), ("POST", "/_active")])
async def test_a_job_that_is_not_there_cannot_be_changed(
    master: PlayedMaster, method: str, verb: str
) -> None:
    status, answer = await master.ask(method, f"/jobs/nope{verb}", json=JOB)
    assert (status, answer["message"]) == (404, "Could not find job nope")


async def test_a_job_larger_than_a_megabyte_is_refused(master: PlayedMaster) -> None:
    job_id = (await master.submit(start="false"))["job_id"]
    large = {**JOB, "pad": "x" * 1_000_000}
    for method, path in (("POST", "/jobs"), ("PUT", f"/jobs/{job_id}")):
        status, answer = await master.ask(method, path, json=large)
        assert status == 413
        assert "at most 1000000 are taken" in answer["message"]
