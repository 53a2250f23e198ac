"""A whole job, from the request to the files, and what the API says of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import delay, exporter, generated, noop, written_ids


def test_a_job_runs_to_its_end_and_every_slice_is_recorded(cluster: Cluster, output: Path) -> None:
    job = generated(noop(), exporter(output), size=1000, slice_size=10, workers=2)
    ex_id = cluster.submit(job)
    assert cluster.wait_until_over(ex_id) == "completed"
    assert written_ids(output) == Counter(range(1000))
    assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": 100, "error": 0}
    execution = cluster.get(f"/ex/{ex_id}")
    assert not execution["_has_errors"]
    assert execution["_slicer_stats"]["processed"] == 100
    assert verify_execution(cluster.store(ex_id)).ok


def test_what_each_operation_did_is_told(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(noop(), noop(), size=500, slice_size=50))
    cluster.wait_until_over(ex_id)
    totals = cluster.get(f"/ex/{ex_id}")["_analytics"]
    assert [entry["slices"] for entry in totals] == [10, 10, 10]
    assert [entry["records_out"] for entry in totals] == [500, 500, 500]
    assert all(entry["memory_bytes"] > 0 for entry in totals)


def test_the_slices_can_be_listed(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(noop(), size=10))
    cluster.wait_until_over(ex_id)
    slices = cluster.get(f"/ex/{ex_id}/slices", state="completed", size=100)
    assert len(slices) == 10
    assert len({record["slice_id"] for record in slices}) == 10
    assert {record["state"] for record in slices} == {"completed"}


def test_when_it_is_over_no_process_of_it_is_left(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(delay(100), size=10))
    cluster.wait_workers(ex_id, 2)
    cluster.wait_until_over(ex_id)
    cluster.wait_until_gone(ex_id)


def test_the_job_and_its_execution_are_listed(cluster: Cluster) -> None:
    answer = cluster.post("/jobs", generated(noop(), size=10, name="listed"))
    cluster.wait_until_over(answer["ex_id"])
    assert answer["job_id"] in [job["job_id"] for job in cluster.get("/jobs")]
    assert cluster.get(f"/jobs/{answer['job_id']}/ex")["ex_id"] == answer["ex_id"]
    assert cluster.get(f"/jobs/{answer['job_id']}")["name"] == "listed"
