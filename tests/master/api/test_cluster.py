"""The cluster over HTTP."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sliceworks.protocol.messages import Statistics
from tests.master.played import PlayedMaster


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
async def test_the_root_says_what_this_is(master: PlayedMaster, path: str) -> None:
    status, root = await master.ask("GET", path)
    assert status == 200
    assert (root["name"], root["clustering_type"], root["teraslice_version"]) == (
        "played",
        "native",
        "v3.18.0",
    )
    assert root["node_version"] == root["python_version"]
    assert all(isinstance(value, str) for value in root.values())


async def test_an_empty_cluster_has_its_master(master: PlayedMaster) -> None:
    _, state = await master.ask("GET", "/cluster/state")
    (entry,) = state.values()
    assert state == {socket.gethostname(): entry}
    assert entry["active"] == [{"worker_id": os.getpid(), "assignment": "cluster_master", "pid": os.getpid()}]
    assert (entry["total"], entry["available"], entry["state"]) == (0, 0, "connected")


async def test_the_state_shows_every_process(master: PlayedMaster) -> None:
    async with master.node() as node:
        started = await master.submit()
        ex_id, job_id = started["ex_id"], started["job_id"]
        async with master.controller(ex_id) as controller:
            await node.assigned(ex_id)
            await node.runs(ex_id, workers=2)
            await controller.reports()
            await master.wait_status(ex_id, "running")
            _, state = await master.ask("GET", "/v1/cluster/state")
        controllers = state[socket.gethostname()]["active"][1:]
        pid = 4_000_001
        assert controllers == [
            {
                "worker_id": pid,
                "assignment": "execution_controller",
                "pid": pid,
                "ex_id": ex_id,
                "job_id": job_id,
            }
        ]
        entry = state["node"]
        assert (entry["total"], entry["available"], entry["state"], entry["pid"]) == (4, 2, "connected", 77)
        assert (entry["hostname"], entry["node_version"], entry["teraslice_version"]) == (
            "host",
            "v3.11.7",
            "3.18.0",
        )
        assert [(item["assignment"], item["pid"], item["job_id"]) for item in entry["active"]] == [
            ("worker", 101, job_id),
            ("worker", 102, job_id),
        ]


async def test_a_lost_node_is_disconnected_at_once(master: PlayedMaster) -> None:
    async with master.node():
        pass
    while True:
        _, state = await master.ask("GET", "/cluster/state")
        if state["node"]["state"] == "disconnected":
            break
    assert state["node"]["available"] == 0


async def test_stats_are_summed_and_survive_a_restart(tmp_path: Path) -> None:
    async with PlayedMaster.open(tmp_path) as master, master.node():
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports(statistics=Statistics(processed=5, queued=3, workers_joined=1))
            await master.wait_status(started["ex_id"], "running")
            _, stats = await master.ask("GET", "/cluster/stats")
            assert stats["controllers"] == stats["slicer"]
            assert stats["controllers"] == {
                "processed": 5,
                "failed": 0,
                "queued": 3,
                "job_duration": 0,
                "workers_joined": 1,
                "workers_disconnected": 0,
                "workers_reconnected": 0,
            }
            done = Statistics(processed=9, failed=1, queued=0, workers_joined=1, job_duration=2)
            await controller.concludes("failed", statistics=done)
            await master.wait_status(started["ex_id"], "failed")
    async with PlayedMaster.open(tmp_path) as master:
        _, stats = await master.ask("GET", "/cluster/stats")
        assert (stats["slicer"]["processed"], stats["slicer"]["failed"]) == (9, 1)


@pytest.mark.parametrize(
    "accept",
    ["application/openmetrics-text;", "text/html, Application/OpenMetrics-Text; version=1.0.0;q=0.5"],
)
async def test_stats_for_prometheus(master: PlayedMaster, accept: str) -> None:
    async with master.client.get("/cluster/stats", headers={"Accept": accept}) as response:
        assert response.content_type == "application/openmetrics-text"
        lines = (await response.text()).splitlines()
    assert lines[:2] == [
        "# TYPE teraslice_slices_processed counter",
        'teraslice_slices_processed{cluster="played"} 0',
    ]
    assert len(lines) == 13
    assert lines[-1] == "# EOF"
