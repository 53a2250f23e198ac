"""Executions and their controllers over HTTP."""

from __future__ import annotations

from sliceworks.protocol.messages import OperationTotals, OutcomeApplied, SliceCounts, Statistics, Wishes
from tests.master.played import PlayedMaster


async def test_an_execution_has_every_field_of_the_contract(master: PlayedMaster) -> None:
    started = await master.submit()
    _, execution = await master.ask("GET", f"/ex/{started['ex_id']}")
    expected = {
        "ex_id": started["ex_id"],
        "job_id": started["job_id"],
        "_context": "ex",
        "_status": "pending",
        "_has_errors": False,
        "_failureReason": "",
        "_slicer_stats": {},
        "_analytics": [],
        "metadata": {},
        "teraslice_version": "v3.18.0",
        "lifecycle": "once",
        "slicers": 1,
        "workers": 2,
        "max_retries": 3,
        "probation_window": 300_000,
        "assets": None,
        "apis": [],
        "analytics": True,
    }
    assert {name: execution[name] for name in expected} == expected
    assert "no" in execution["_status_reason"]
    assert execution["operations"][1] == {"_op": "noop", "_encoding": "json", "_dead_letter_action": "throw"}
    assert "slicer_port" not in execution


async def test_an_execution_from_start_to_end(master: PlayedMaster) -> None:
    async with master.node() as node:
        started = await master.submit()
        ex_id = started["ex_id"]
        async with master.controller(ex_id) as controller:
            assignment = await node.assigned(ex_id)
            assert (assignment.workers, assignment.port, assignment.host) == (2, 45_000, "127.0.0.1")
            await node.runs(ex_id, workers=2)
            assert (await controller.receive(Wishes)).workers == 2
            await controller.reports(statistics=Statistics(processed=3, started="2026-11-21T00:00:00.000Z"))
            execution = await master.wait_status(ex_id, "running")
            assert execution["slicer_port"] == 45_000
            assert execution["slicer_hostname"] == "127.0.0.1"
            assert execution["_slicer_stats"]["processed"] == 3
            await controller.concludes(
                "completed",
                statistics=Statistics(
                    processed=10, job_duration=2, queuing_complete="2026-11-21T00:00:01.000Z"
                ),
                counts=SliceCounts(completed=10),
                operations=[OperationTotals(1, 10, 5_000, 100, 99, 1_024)],
            )
            await controller.receive(OutcomeApplied)
        execution = await master.wait_status(ex_id, "completed")
        assert execution["_slicer_stats"]["processed"] == 10
        assert execution["_slicer_stats"]["queuing_complete"] == "2026-11-21T00:00:01.000Z"
        assert "started" not in execution["_slicer_stats"]
        assert execution["_analytics"] == [
            {
                "op": "noop",
                "slices": 10,
                "time_us": 5_000,
                "records_in": 100,
                "records_out": 99,
                "memory_bytes": 1_024,
            }
        ]


async def test_executions_are_listed_by_status(master: PlayedMaster) -> None:
    first = await master.submit()
    second = await master.submit()
    await master.ask("POST", f"/ex/{first['ex_id']}/_stop")
    for query, expected in (
        ("status=pending", {second["ex_id"]}),
        ("status=stopped, failed", {first["ex_id"]}),
        ("status=bogus", set()),
        ("status=*", {first["ex_id"], second["ex_id"]}),
        ("status=", {first["ex_id"], second["ex_id"]}),
        ("deleted=true", set()),
    ):
        status, executions = await master.ask("GET", f"/ex?{query}")
        assert (status, {execution["ex_id"] for execution in executions}) == (200, expected), query


async def test_a_missing_execution_is_not_found(master: PlayedMaster) -> None:
    status, answer = await master.ask("GET", "/ex/nope")
    assert (status, answer) == (404, {"error": 404, "message": "Could not find execution nope"})


async def test_a_connected_controller_is_shown_with_both_spellings(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        ex_id = started["ex_id"]
        for path in (f"/ex/{ex_id}/controller", f"/jobs/{started['job_id']}/slicer"):
            status, answer = await master.ask("GET", path)
            assert (status, answer["message"]) == (404, f"Could not find active slicer for ex_id: {ex_id}")
        async with master.controller(ex_id) as controller:
            await controller.reports(statistics=Statistics(workers_available=1, workers_active=2, queued=7))
            await master.wait_status(ex_id, "running")
            _, (view,) = await master.ask("GET", f"/ex/{ex_id}/slicer")
            assert (view["workers_available"], view["available_workers"]) == (1, 1)
            assert (view["workers_active"], view["active_workers"]) == (2, 2)
            assert (view["ex_id"], view["name"], view["queued"]) == (ex_id, "played", 7)
            assert "started" not in view
            assert await master.ask("GET", "/v1/cluster/controllers") == (200, [view])
            assert await master.ask("GET", "/cluster/slicers") == (200, [view])
            assert await master.ask("GET", f"/jobs/{started['job_id']}/controller") == (200, [view])


async def test_the_controller_of_a_job_that_never_ran(master: PlayedMaster) -> None:
    status, answer = await master.ask("GET", "/jobs/nope/controller")
    assert (status, answer["message"]) == (404, "Could not find job nope")
