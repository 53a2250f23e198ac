"""The API client: what a master answers, and what its failures become."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sliceworks.cli.client import CleanupType, Client, LogLevel, Started
from sliceworks.protocol.errors import (
    EXIT_CODE,
    ConflictError,
    Fault,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    SliceworksError,
    UnavailableError,
    UnprocessableError,
)

JOB = {"job_id": "j", "name": "x", "_created": "c", "_updated": "u", "more": [1]}
EX = {"ex_id": "e", "job_id": "j", "_status": "running", "workers": 2, "odd": {"a": 1}}


async def test_submits_a_job_as_it_was_written(master: Any) -> None:
    master.on("POST", "/jobs", {"job_id": "j", "ex_id": "e"})
    async with Client.open(master.url) as client:
        started = await client.jobs.submit(b'{"a":  1}')
        assert (started.job_id, started.ex_id) == ("j", "e")
        await client.jobs.submit({"a": 1}, start=False)
    assert master.requests == [
        ("POST", "/jobs?start=true", b'{"a":  1}'),
        ("POST", "/jobs?start=false", b'{"a":1}'),
    ]


async def test_a_job_that_is_not_started_has_no_execution(master: Any) -> None:
    master.on("POST", "/jobs", {"job_id": "j"})
    async with Client.open(master.url) as client:
        answer = await client.jobs.submit(b"{}", start=False)
    assert answer == Started(job_id="j", ex_id="", document={"job_id": "j"})


async def test_documents_are_typed_and_whole(master: Any) -> None:
    master.on("GET", "/ex/e", EX)
    master.on("GET", "/jobs/j", JOB)
    async with Client.open(master.url) as client:
        execution, job = await client.executions.get("e"), await client.jobs.get("j")
    assert (execution.status, execution.workers, execution.is_over) == ("running", 2, False)
    assert execution.document == EX
    assert (job.name, job.created, job.active, job.document["more"]) == ("x", "c", True, [1])


async def test_counts_are_added_up(master: Any) -> None:
    master.on("GET", "/ex/e/slices/_count", {"pending": 1, "start": 2, "completed": 3, "error": 4})
    async with Client.open(master.url) as client:
        counts = await client.executions.counts("e")
    assert (counts.made, counts.done) == (10, 7)


async def test_every_verb_is_one_request(master: Any) -> None:
    for verb in ("_stop", "_pause", "_resume"):
        master.on("POST", f"/jobs/j/{verb}", {"status": "paused"})
    for verb in ("_active", "_inactive"):
        master.on("POST", f"/jobs/j/{verb}", JOB)
    for verb in ("_start", "_recover"):
        master.on("POST", f"/jobs/j/{verb}", {"job_id": "j", "ex_id": "e"})
    master.on("POST", "/jobs/j/_workers", "5 workers have been add for execution: e")
    master.on("POST", "/jobs/j/_settings", {"exId": "e", "level": "debug"})
    master.on("PUT", "/jobs/j", JOB)
    master.on("DELETE", "/jobs/j", {**JOB, "_deleted": True})
    async with Client.open(master.url) as client:
        jobs = client.jobs
        assert (await jobs.stop("j", timeout_ms=5, blocking=False, force=True)).status == "paused"
        assert [await jobs.pause("j"), await jobs.resume("j")] == ["paused", "paused"]
        assert (await jobs.activate("j")).job_id == (await jobs.deactivate("j")).job_id == "j"
        assert (await jobs.start("j")).ex_id == (await jobs.recover("j", CleanupType.ERRORS)).ex_id == "e"
        assert "5 workers" in await jobs.add_workers("j", 5)
        await jobs.remove_workers("j", 1)
        await jobs.set_workers("j", 4)
        assert await jobs.set_log_level("j", LogLevel.DEBUG) == {"exId": "e", "level": "debug"}
        await jobs.update("j", b"{}")
        assert (await jobs.delete("j")).deleted
    assert [f"{method} {target}" for method, target, _ in master.requests] == [
        "POST /jobs/j/_stop?timeout=5&blocking=false&force=true",
        "POST /jobs/j/_pause",
        "POST /jobs/j/_resume",
        "POST /jobs/j/_active",
        "POST /jobs/j/_inactive",
        "POST /jobs/j/_start",
        "POST /jobs/j/_recover?cleanup_type=errors",
        "POST /jobs/j/_workers?add=5",
        "POST /jobs/j/_workers?remove=1",
        "POST /jobs/j/_workers?total=4",
        "POST /jobs/j/_settings?log_level=debug",
        "PUT /jobs/j",
        "DELETE /jobs/j",
    ]


async def test_the_cluster(master: Any) -> None:
    process = {"worker_id": 1, "assignment": "worker", "pid": 7, "state": "idle"}
    node = {"node_id": "n", "hostname": "h", "state": "connected", "pid": 3, "total": 2, "active": [process]}
    master.on("GET", "/cluster/state", {"n": node})
    master.on("GET", "/cluster/controllers", [{"ex_id": "e", "job_id": "j", "processed": 7}])
    master.on("GET", "/cluster/stats", {"controllers": {"processed": 9}, "slicer": {"processed": 9}})
    master.on("GET", "/", {"name": "c"})
    master.on("POST", "/nodes/n/_drain", {"node_id": "n", "draining": True})
    async with Client.open(master.url) as client:
        [found] = await client.cluster.nodes()
        assert (found.is_connected, found.active[0].pid, found.document) == (True, 7, node)
        assert [each.processed for each in await client.cluster.controllers()] == [7]
        assert (await client.cluster.sums()).processed == 9
        assert (await client.cluster.info()).name == "c"
        assert await client.cluster.drain("n") == {"node_id": "n", "draining": True}


async def test_assets(master: Any) -> None:
    listed = {"id": "a" * 40, "name": "x", "version": "1.0.0"}
    master.on("POST", "/assets", {"_id": "a" * 40, "asset_id": "a" * 40}, status=201)
    master.on("GET", "/assets", [listed])
    master.on("GET", "/assets/x/1.0.0", [listed])
    master.on("GET", "/assets/y", [])
    master.on("DELETE", f"/assets/{'a' * 40}", {"asset_id": "a" * 40})
    async with Client.open(master.url) as client:
        deployed = await client.assets.deploy(b"PK")
        assert (deployed.asset_id, deployed.is_new) == ("a" * 40, True)
        assert (await client.assets.get("x:1.0.0")).name == "x"
        assert (await client.assets.get("a" * 40)).version == "1.0.0"
        with pytest.raises(NotFoundError, match="asset y"):
            await client.assets.get("y")
        assert await client.assets.delete("a" * 40) == "a" * 40
    assert master.requests[0] == ("POST", "/assets?blocking=true", b"PK")


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (400, InvalidError, 2),
        (401, NotAllowedError, 6),
        (403, NotAllowedError, 6),
        (404, NotFoundError, 4),
        (409, ConflictError, 5),
        (422, UnprocessableError, 2),
        (503, UnavailableError, 7),
        (500, SliceworksError, 1),
    ],
)
async def test_an_error_status_is_an_error_with_its_message(
    master: Any, status: int, kind: type[SliceworksError], exit_code: int
) -> None:
    master.on("GET", "/ex/e", {"error": status, "message": "what happened"}, status=status)
    async with Client.open(master.url) as client:
        with pytest.raises(kind, match="what happened") as caught:
            await client.executions.get("e")
    assert EXIT_CODE[caught.value.code] == exit_code


async def test_an_answer_with_its_text_in_error_is_understood(master: Any) -> None:
    master.on("DELETE", "/assets/x", {"error": "asset x is not formatted correctly"}, status=400)
    async with Client.open(master.url) as client:
        with pytest.raises(InvalidError, match="not formatted correctly"):
            await client.assets.delete("x")


async def test_a_refused_job_comes_with_its_faults(master: Any) -> None:
    faults = [{"path": "workers", "message": "must be at least 1"}]
    master.on("POST", "/jobs", {"error": 400, "message": "bad job", "faults": faults}, status=400)
    async with Client.open(master.url) as client:
        with pytest.raises(InvalidError) as caught:
            await client.jobs.submit(b"{}")
    assert caught.value.faults == (Fault("workers", "must be at least 1"),)


async def test_a_master_that_is_away_is_named_with_its_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    async with Client.open(url) as client:
        with pytest.raises(UnavailableError, match=f"{url} .Connection refused."):
            await client.executions.get("e")


@pytest.mark.parametrize("answer", [b"<html>hello</html>", {"status": "running"}, [], "text"])
async def test_what_is_no_master_is_told(master: Any, answer: Any) -> None:
    master.on("GET", "/ex/e", answer)
    async with Client.open(master.url) as client:
        with pytest.raises(UnavailableError, match="is it the URL of a Sliceworks master"):
            await client.executions.get("e")


async def test_an_older_master_is_told(master: Any) -> None:
    master.on("GET", "/ex/e", {"error": 405, "message": "cannot GET endpoint /ex/e"}, status=405)
    async with Client.open(master.url) as client:
        with pytest.raises(SliceworksError, match="older than this command"):
            await client.executions.get("e")


@pytest.mark.parametrize("url", ["", "elsewhere", "http://", "ftp://127.0.0.1", "127.0.0.1:5678", "http://["])
async def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(InvalidError, match="not the URL of a master"):
        async with Client.open(url):
            pass


async def test_an_id_cannot_reach_another_path(master: Any) -> None:
    master.on("GET", "/ex/a%2F..%3Fb", EX)
    async with Client.open(master.url) as client:
        assert (await client.executions.get("a/..?b")).ex_id == "e"
        for wrong in ("", "..", ".", " x", "a\nb", "\udcff"):
            with pytest.raises(InvalidError, match="is no id"):
                await client.executions.get(wrong)
    assert len(master.requests) == 1
