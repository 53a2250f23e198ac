"""Steering executions over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sliceworks.protocol.messages import OutcomeApplied, Wishes
from tests.master.played import Peer, PlayedMaster


@asynccontextmanager
async def running(master: PlayedMaster) -> AsyncIterator[tuple[dict[str, str], Peer, Peer]]:
    """An execution that runs, its node and its controller."""
    async with master.node() as node:
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await node.assigned(started["ex_id"])
            await node.runs(started["ex_id"], workers=2)
            await controller.reports()
            await master.wait_status(started["ex_id"], "running")
            yield started, node, controller


async def test_a_blocking_stop_answers_when_nothing_is_left(master: PlayedMaster) -> None:
    async with running(master) as (started, node, controller), asyncio.TaskGroup() as group:
        stop = group.create_task(master.ask("POST", f"/jobs/{started['job_id']}/_stop?timeout=5000"))
        while not (wishes := await controller.receive(Wishes)).stopping:
            pass
        assert wishes.grace_ms == 5_000
        await controller.concludes("stopped")
        await controller.receive(OutcomeApplied)
        master.processes.exited(started["ex_id"])
        assert not stop.done()
        await node.runs()
        assert await stop == (200, {"status": "stopped"})
        assert await master.ask("POST", f"/ex/{started['ex_id']}/_stop") == (200, {"status": "stopped"})


async def test_a_stop_need_not_wait(master: PlayedMaster) -> None:
    async with running(master) as (started, _, _):
        answer = await master.ask("POST", f"/ex/{started['ex_id']}/_stop?blocking=false")
        assert answer == (200, {"status": "stopping"})


async def test_a_forced_stop_says_so(master: PlayedMaster) -> None:
    async with running(master) as (started, _, controller):
        ex_id = started["ex_id"]
        status, answer = await master.ask("POST", f"/ex/{ex_id}/_stop?force=true&blocking=false")
        assert (status, answer["message"]) == (200, f"Force stop complete for exId: {ex_id}")
        while not (wishes := await controller.receive(Wishes)).stopping:
            pass
        assert wishes.grace_ms == 0


@pytest.mark.parametrize("query", ["timeout=abc", "timeout=-1", "blocking=maybe", "force=1"])
async def test_bad_options_of_a_stop(master: PlayedMaster, query: str) -> None:
    started = await master.submit()
    status, answer = await master.ask("POST", f"/ex/{started['ex_id']}/_stop?{query}")
    assert status == 400
    assert query.partition("=")[0] in answer["message"]


async def test_a_pending_execution_stops_at_once(master: PlayedMaster) -> None:
    started = await master.submit()
    assert await master.ask("POST", f"/ex/{started['ex_id']}/_stop") == (200, {"status": "stopped"})


async def test_pause_and_resume(master: PlayedMaster) -> None:
    async with running(master) as (started, _, _):
        path = f"/ex/{started['ex_id']}"
        for verb, status in (("pause", "paused"), ("pause", "paused"), ("resume", "running")):
            assert await master.ask("POST", f"{path}/_{verb}") == (200, {"status": status})
            assert (await master.ask("GET", path))[1]["_status"] == status


async def test_verbs_that_the_status_does_not_allow(master: PlayedMaster) -> None:
    started = await master.submit()
    ex_id = started["ex_id"]
    status, answer = await master.ask("POST", f"/jobs/{started['job_id']}/_pause")
    assert (status, answer["message"]) == (409, f"Execution {ex_id} is not available to pause")
    await master.ask("POST", f"/ex/{ex_id}/_stop")
    for verb in ("pause", "resume", "workers?add=1"):
        status, answer = await master.ask("POST", f"/ex/{ex_id}/_{verb}")
        expected = f"no active execution context was found for ex_id: {ex_id}"
        assert (status, answer["message"]) == (409, expected)


async def test_verbs_on_what_does_not_exist(master: PlayedMaster) -> None:
    status, answer = await master.ask("POST", "/ex/nope/_stop")
    assert (status, answer["message"]) == (404, "Could not find execution nope")
    status, answer = await master.ask("POST", "/ex/nope/_resume")
    assert (status, answer["message"]) == (404, "Could not find execution nope")
    for verb in ("stop", "pause", "resume", "workers?add=1"):
        status, answer = await master.ask("POST", f"/jobs/nope/_{verb}")
        assert (status, answer["message"]) == (404, "Could not find job nope")


async def test_workers_are_changed_and_kept(tmp_path: Path) -> None:
    async with PlayedMaster.open(tmp_path) as master:
        started = await master.submit()
        ex_id = started["ex_id"]
        for query, text, workers in (
            ("add=5", "5 workers have been add for execution: ", 7),
            ("remove=4", "4 workers have been remove for execution: ", 3),
            ("total=6", "6 workers have been set for execution: ", 6),
        ):
            answer = await master.ask("POST", f"/v1/ex/{ex_id}/_workers?{query}")
            assert answer == (200, text + ex_id)
            assert (await master.ask("GET", f"/ex/{ex_id}"))[1]["workers"] == workers
    async with PlayedMaster.open(tmp_path) as master:
        assert (await master.ask("GET", f"/ex/{ex_id}"))[1]["workers"] == 6


@pytest.mark.parametrize(
    "query",
    [
        "",
        "add=",
        "add=0",
        "add=-1",
        "add=abc",
        "add=1.5",
        "total=0",
        "foo=1",
        "add=1&total=2",
        "add=²",
    ],
)
async def test_bad_numbers_of_workers(master: PlayedMaster, query: str) -> None:
    started = await master.submit()
    status, answer = await master.ask("POST", f"/ex/{started['ex_id']}/_workers?{query}")
    expected = (
        "Must provide a valid worker parameter(add/remove/total) that is a number and greater than zero"
    )
    assert (status, answer["message"]) == (400, expected)


@pytest.mark.parametrize("query", ["remove=2", "remove=50", "total=100001", "add=9999999999999999999999"])
async def test_numbers_of_workers_that_cannot_be(master: PlayedMaster, query: str) -> None:
    started = await master.submit()
    status, answer = await master.ask("POST", f"/ex/{started['ex_id']}/_workers?{query}")
    assert status == 400, answer
    if query == "remove=50":
        assert answer["message"] == "workers to be removed: 50 cannot be >= to current workers: 2"


async def test_a_log_level_is_changed_while_it_runs(master: PlayedMaster) -> None:
    async with running(master) as (started, _, controller):
        for form in (f"/ex/{started['ex_id']}", f"/jobs/{started['job_id']}"):
            answer = await master.ask("POST", f"{form}/_settings?log_level=debug")
            assert answer == (200, {"exId": started["ex_id"], "level": "debug"})
        while (await controller.receive(Wishes)).log_level != "debug":
            pass


@pytest.mark.parametrize(("query", "shown"), [("", "undefined"), ("?log_level=loud", "loud")])
async def test_levels_that_do_not_exist(master: PlayedMaster, query: str, shown: str) -> None:
    started = await master.submit()
    status, answer = await master.ask("POST", f"/jobs/{started['job_id']}/_settings{query}")
    text = f'Invalid log level "{shown}", must be one of: trace, debug, info, warn, error, fatal'
    assert (status, answer["message"]) == (400, text)
