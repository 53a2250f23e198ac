"""Bad jobs: refused before anything starts, with every fault at once, by `run` and by the API alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import run_cli
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import generated, noop

READER = {"_op": "data_generator", "size": 1}
NOOP = {"_op": "noop"}

BAD_JOBS = {
    "unknown operation": (
        {"operations": [READER, {"_op": "nop"}]},
        ["operations.1._op", "nop", "noop"],
    ),
    "missing option": (
        {"operations": [READER, {"_op": "file_exporter"}]},
        ["operations.1.path", "file_exporter", "required"],
    ),
    "wrong option": (
        {"operations": [READER, {"_op": "delay", "ms": "soon"}]},
        ["operations.1.ms", "delay"],
    ),
    "no workers": ({"workers": 0, "operations": [READER, NOOP]}, ["workers", "greater than zero"]),
    "too few operations": ({"operations": [READER]}, ["operations", "at least two"]),
    "a reader in second place": (
        {"operations": [READER, {"_op": "data_generator"}]},
        ["operations.1._op", "data_generator"],
    ),
    "a path that does not exist": (
        {"operations": [{"_op": "file_reader", "path": "/no/such/path", "format": "raw"}, NOOP]},
        ["operations.0.path", "/no/such/path"],
    ),
    "several faults at once": (
        {"workers": 0, "operations": [READER, {"_op": "nop"}, {"_op": "delay", "ms": -1}]},
        ["workers", "operations.1._op", "operations.2.ms"],
    ),
}


@pytest.mark.parametrize(("job", "parts"), BAD_JOBS.values(), ids=BAD_JOBS.keys())
def test_run_refuses_it_and_starts_nothing(tmp_path: Path, job: dict[str, Any], parts: list[str]) -> None:
    (tmp_path / "job.json").write_text(json.dumps(job))
    ended = run_cli("run", str(tmp_path / "job.json"), "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert [part for part in parts if part not in ended.stderr] == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("job", "parts"), BAD_JOBS.values(), ids=BAD_JOBS.keys())
def test_the_api_refuses_it_with_every_fault(cluster: Cluster, job: dict[str, Any], parts: list[str]) -> None:
    answer = cluster.request("POST", "/jobs", job)
    assert answer.status == 400
    assert answer.body["error"] == 400
    told = answer.body["message"] + json.dumps(answer.body["faults"])
    assert [part for part in parts if part not in told] == []


@pytest.mark.parametrize("text", [b'{"name": "x",\n  "operations": [}', b"\xff\xfe"])
def test_what_is_not_json_is_refused(cluster: Cluster, tmp_path: Path, text: bytes) -> None:
    assert cluster.request("POST", "/jobs", text).status == 400
    (tmp_path / "job.json").write_bytes(text)
    assert run_cli("run", str(tmp_path / "job.json")).returncode == 2
    assert run_cli("job", "submit", str(tmp_path / "job.json"), "--url", cluster.url).returncode == 2


def test_malformed_json_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"name": "x",\n  "operations": [}')
    assert "line 2, column 18" in run_cli("run", str(tmp_path / "job.json")).stderr


def test_an_operation_that_raises_is_tried_again_and_then_an_error_with_its_traceback(
    cluster: Cluster,
) -> None:
    failing = {"_op": "script", "command": "/bin/false"}
    ex_id = cluster.submit(generated(failing, noop(), size=3, max_retries=1))
    assert cluster.wait_until_over(ex_id) == "failed"
    assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": 0, "error": 3}
    execution = cluster.get(f"/ex/{ex_id}")
    assert execution["_has_errors"]
    assert "3 slice failure" in execution["_failureReason"]
    (first, *_) = errors = cluster.get(f"/ex/{ex_id}/errors")
    assert len(errors) == 3
    assert first["retry_count"] == 1
    assert "script" in first["error"]
    assert "Traceback" in first["error"]
