"""Workers that die by their work: what is recorded of it, and that the rest of the job does not suffer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import exporter, generated, noop

SLICES = 1_000
POISON = 500
KILL_THE_WORKER = f"""
records=$(cat)
case "$records" in *'"id":{POISON},'*)
  echo "slice {POISON} will be the end of me" >/proc/$PPID/fd/2
  kill -9 $PPID;;
esac
printf %s "$records"
"""


def script(text: str) -> dict[str, Any]:
    return {"_op": "script", "command": "sh", "args": ["-c", text]}


def test_a_poison_slice_among_a_thousand_ends_alone(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(script(KILL_THE_WORKER), size=SLICES, workers=4))
    assert cluster.wait_until_over(ex_id, seconds=110) == "failed"
    assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": SLICES - 1, "error": 1}
    (record,) = cluster.get(f"/ex/{ex_id}/errors")
    assert record["request"].startswith(f'{{"start":{POISON},')
    assert record["reason"] == "poison"
    assert len(record["attempts"]) == 3
    for attempt in record["attempts"]:
        assert attempt["outcome"] == "lost"
        assert (attempt["op"], attempt["signal"]) == ("script", 9)
        assert "was killed by signal 9 (SIGKILL)" in attempt["error"]
        assert f"slice {POISON} will be the end of me" in attempt["log_tail"]
    report = verify_execution(cluster.store(ex_id))
    assert report.ok, report.differences
    log = cluster.daemons["worker"].log_text()
    assert log.count(f"slice {POISON} will be the end of me") == 3, "the daemon passes it on"


def test_at_most_once_a_slice_that_kills_its_worker_is_lost(cluster: Cluster) -> None:
    job = generated(script(KILL_THE_WORKER), size=POISON + 20, slice_size=10, workers=2, max_attempts=1)
    ex_id = cluster.submit(job)
    assert cluster.wait_until_over(ex_id) == "failed"
    (record,) = cluster.get(f"/ex/{ex_id}/errors")
    assert (record["reason"], len(record["attempts"])) == ("lost", 1)
    assert cluster.counts(ex_id)["completed"] == (POISON + 20) // 10 - 1


def test_workers_that_start_nowhere_fail_the_execution_with_the_traceback(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(noop(), exporter(Path("/proc/nowhere")), size=10))
    assert cluster.wait_until_over(ex_id) == "failed"
    failure = cluster.get(f"/ex/{ex_id}")["_failureReason"]
    assert "do not start on any node" in failure
    assert "Traceback" in failure
    assert "file_exporter" in failure
    cluster.wait_until_gone(ex_id)
