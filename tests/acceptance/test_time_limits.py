"""Slices and executions that take too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, generated

HANG_ON_THE_FIRST = """
records=$(cat)
case "$records" in *'"id":0,'*) sleep 600;; esac
printf %s "$records"
"""


def script(text: str) -> dict[str, Any]:
    return {"_op": "script", "command": "sh", "args": ["-c", text]}


def test_a_hung_slice_times_out_and_the_others_complete(cluster: Cluster) -> None:
    job = generated(script(HANG_ON_THE_FIRST), size=40, workers=2, max_retries=1, slice_timeout="1s")
    ex_id = cluster.submit(job)
    assert cluster.wait_until_over(ex_id) == "failed"
    assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": 39, "error": 1}
    (record,) = cluster.get(f"/ex/{ex_id}/errors")
    assert (record["reason"], record["retry_count"]) == ("timeout", 1)
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["timed_out", "timed_out"]
    assert "slice_timeout of 1s" in record["error"]
    assert all(attempt["op"] == "script" for attempt in record["attempts"])
    report = verify_execution(cluster.store(ex_id))
    assert report.ok, report.differences


def test_at_most_once_a_hung_slice_is_not_begun_again(cluster: Cluster) -> None:
    job = generated(script(HANG_ON_THE_FIRST), size=4, workers=2, max_attempts=1, slice_timeout="500ms")
    ex_id = cluster.submit(job)
    assert cluster.wait_until_over(ex_id) == "failed"
    (record,) = cluster.get(f"/ex/{ex_id}/errors")
    assert (record["reason"], len(record["attempts"])) == ("timeout", 1)


def test_an_execution_ends_at_its_deadline_over_restarts(tmp_path: Path) -> None:
    with running_cluster(tmp_path, 2) as own:
        job = generated(delay(50), size=10, workers=2, lifecycle="persistent", execution_timeout="6s")
        ex_id = own.submit(job)
        own.wait_completed(ex_id, 10)
        own.kill("master")
        own.start("master")
        assert own.wait_until_over(ex_id) == "failed"
        assert "execution_timeout of 6s" in own.get(f"/ex/{ex_id}")["_failureReason"]
        own.wait_until_gone(ex_id)
        assert own.counts(ex_id)["start"] == 0
        assert verify_execution(own.store(ex_id)).ok
