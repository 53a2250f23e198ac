"""Taking a node out of service under load: what it has in hand is finished, the rest goes elsewhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, written_ids

SLICES = 400


def workers_on(cluster: Cluster, name: str) -> int:
    node = cluster.node(cluster.daemons[name].pid)
    return sum(entry["assignment"] == "worker" for entry in node["active"])


def node_id(cluster: Cluster, name: str) -> str:
    return str(cluster.node(cluster.daemons[name].pid)["node_id"])


def test_a_drained_node_finishes_what_it_has_and_loses_nothing(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster", 2, 2) as cluster:
        job = generated(delay(20), exporter(tmp_path / "out"), size=SLICES, workers=4)
        ex_id = cluster.submit(job)
        cluster.wait_completed(ex_id, SLICES // 8)
        drained = node_id(cluster, "worker2")
        cluster.post(f"/nodes/{drained}/_drain")
        cluster.eventually(lambda: workers_on(cluster, "worker2") == 0, "the drained node is empty")
        cluster.wait_workers(ex_id, 2)
        cluster.kill("master")  # the wish outlives it
        cluster.start("master")
        cluster.wait_completed(ex_id, SLICES // 2)
        assert workers_on(cluster, "worker2") == 0
        assert cluster.node(cluster.daemons["worker2"].pid)["draining"] is True
        cluster.post(f"/nodes/{drained}/_resume")
        cluster.eventually(lambda: workers_on(cluster, "worker2") == 2, "the node works again")
        assert cluster.wait_until_over(ex_id) == "completed"
        assert set(written_ids(tmp_path / "out").values()) == {1}
        attempts = [attempt for record in _slices(cluster, ex_id) for attempt in record["attempts"]]
        assert Counter(attempt["outcome"] for attempt in attempts)["completed"] == SLICES
        assert {attempt["outcome"] for attempt in attempts} <= {"completed", "returned"}


def _slices(cluster: Cluster, ex_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get(f"/ex/{ex_id}/slices", size=SLICES)
    assert len(found) == SLICES
    return found
