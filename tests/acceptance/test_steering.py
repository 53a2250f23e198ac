"""A persistent job, steered through the API: wishes are recorded at once, and the processes follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, is_alive, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, noop, written_records


@pytest.fixture
def persistent(cluster: Cluster) -> Iterator[str]:
    """A running persistent execution with two workers."""
    ex_id = cluster.submit(generated(delay(20), noop(), size=5, workers=2, lifecycle="persistent"))
    cluster.wait_workers(ex_id, 2)
    cluster.wait_completed(ex_id, 1)
    yield ex_id
    cluster.post(f"/ex/{ex_id}/_stop", timeout=0)


def test_workers_are_added_removed_and_set(cluster: Cluster, persistent: str) -> None:
    message = cluster.post(f"/ex/{persistent}/_workers", add=1)
    assert "1 workers have been add" in str(message)
    cluster.wait_workers(persistent, 3)
    cluster.post(f"/ex/{persistent}/_workers", remove=2)
    cluster.wait_workers(persistent, 1)
    cluster.post(f"/ex/{persistent}/_workers", total=4)
    cluster.wait_workers(persistent, 4)
    assert cluster.get(f"/ex/{persistent}")["workers"] == 4
    assert cluster.counts(persistent)["error"] == 0


def test_a_paused_execution_does_nothing_until_it_is_resumed(cluster: Cluster, persistent: str) -> None:
    assert cluster.post(f"/ex/{persistent}/_pause") == {"status": "paused"}
    cluster.wait_status(persistent, "paused")
    cluster.eventually(lambda: cluster.counts(persistent)["start"] == 0, "slices in hand are done")
    paused = cluster.counts(persistent)["completed"]
    assert len(cluster.pids("worker", persistent)) == 2
    assert cluster.counts(persistent)["completed"] == paused
    assert cluster.post(f"/ex/{persistent}/_resume") == {"status": "running"}
    cluster.wait_status(persistent, "running")
    cluster.wait_completed(persistent, paused + 10)


def test_stopped_means_that_no_process_is_left(cluster: Cluster, persistent: str) -> None:
    pids = cluster.pids("worker", persistent) + cluster.pids("execution_controller", persistent)
    assert len(pids) == 3
    assert cluster.post(f"/ex/{persistent}/_stop") == {"status": "stopped"}
    assert cluster.status(persistent) == "stopped"
    assert not [pid for pid in pids if is_alive(pid)]
    assert cluster.counts(persistent)["start"] == 0
    assert verify_execution(cluster.store(persistent)).ok


def test_the_views_of_a_running_execution_agree(cluster: Cluster, persistent: str) -> None:

    def entry() -> dict[str, Any]:
        entries: dict[str, dict[str, Any]] = {
            each["ex_id"]: each for each in cluster.get("/cluster/controllers")
        }
        return entries[persistent]

    def workers() -> int:
        return int(entry()["workers_available"] + entry()["workers_active"])

    cluster.eventually(lambda: workers() == 2, "the controller tells of both workers")
    assert {"available_workers", "active_workers"} <= set(entry())
    running = cluster.get("/ex", status="running")
    assert persistent in [execution["ex_id"] for execution in running]
    assert cluster.get(f"/ex/{persistent}/controller")[0]["ex_id"] == persistent


def test_two_nodes_share_the_workers_of_a_job(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 2, 2) as cluster:
        output = tmp_path / "output"
        ex_id = cluster.submit(generated(delay(20), exporter(output), size=200, workers=4))
        cluster.wait_workers(ex_id, 4)
        nodes = [cluster.node(cluster.daemons[name].pid) for name in ("worker", "worker2")]
        assert [len(node["active"]) for node in nodes] == [2, 2]
        assert cluster.wait_until_over(ex_id) == "completed"
        assert sorted(record["id"] for record in written_records(output)) == list(range(200))
