"""Slices and errors over HTTP, from stores that a controller would have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sliceworks.master import slices
from sliceworks.protocol.messages import SliceCounts, Statistics
from tests.master.played import PlayedMaster


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The times at which slices failed, by execution; read instead of stores."""
    times: dict[str, list[str]] = {}

    def read(path: Path, *, size: int, offset: int, descending: bool) -> list[dict[str, Any]]:
        found = sorted(times.get(path.stem, []), reverse=descending)
        return [{"ex_id": path.stem, "_updated": time} for time in found[offset : offset + size]]

    monkeypatch.setattr(slices, "read_errors", read)
    return times


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


async def test_errors_of_one_execution(master: PlayedMaster, errors: dict[str, list[str]]) -> None:
    errors["one"] = ["1", "3", "2"]
    for path in ("/ex/one/errors", "/v1/ex/any/errors/one"):
        _, found = await master.ask("GET", path)
        assert [item["_updated"] for item in found] == ["3", "2", "1"]
    _, found = await master.ask("GET", "/ex/one/errors?sort=_updated:asc&size=1&from=1")
    assert [item["_updated"] for item in found] == ["2"]
    assert await master.ask("GET", "/ex/unknown/errors") == (200, [])


async def test_errors_of_a_job_and_of_all(master: PlayedMaster, errors: dict[str, list[str]]) -> None:
    async with master.node():
        first = await fail(master)
        other = await fail(master)
        second = await fail(master, first["job_id"])
    errors[first["ex_id"]] = [f"{number:03}" for number in range(0, 120, 2)]
    errors[second["ex_id"]] = [f"{number:03}" for number in range(1, 121, 2)]
    errors[other["ex_id"]] = ["500"]
    _, found = await master.ask("GET", f"/jobs/{first['job_id']}/errors?size=3")
    assert [item["_updated"] for item in found] == ["119", "118", "117"]
    _, found = await master.ask("GET", f"/jobs/{first['job_id']}/errors?sort=_updated:asc&size=2&from=110")
    assert [item["_updated"] for item in found] == ["110", "111"]
    _, found = await master.ask("GET", "/v1/ex/errors?size=2")
    assert [item["_updated"] for item in found] == ["500", "119"]


async def test_errors_of_a_job_that_never_ran(master: PlayedMaster) -> None:
    status, answer = await master.ask("GET", "/jobs/nope/errors")
    assert (status, answer["message"]) == (404, "No execution was found for job nope")


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


@pytest.mark.parametrize("query", ["state=bogus", "size=x", "sort=_updated:asc", "from=-1"])
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
