"""`sliceworks run`: the exit code and the summary say how the job ended, and nothing is left running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import command, run_cli
from tests.acceptance.harness import eventually
from tests.acceptance.jobs import delay, exporter, generated, noop, written_ids


def write_job(folder: Path, job: dict[str, Any]) -> str:
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return str(path)


def test_a_job_that_completes(tmp_path: Path) -> None:
    job = generated(noop(), exporter(tmp_path / "output"), size=100, slice_size=10)
    ended = run_cli("run", write_job(tmp_path, job), "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["status"] == "completed"
    assert (summary["slices_completed"], summary["slices_failed"]) == (10, 0)
    assert [entry["records_out"] for entry in summary["operations"]] == [100, 100, 100]
    assert summary["results"] == [str(tmp_path / "output")]
    assert sorted(written_ids(tmp_path / "output")) == list(range(100))
    verified = run_cli("verify", summary["ex_id"], "--data-dir", str(tmp_path / "data"))
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["completed"] == 10


def test_the_folder_of_a_completed_run_is_removed_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICEWORKS_DATA_DIR", str(tmp_path / "state"))
    ended = run_cli("run", write_job(tmp_path, generated(noop(), size=1)), "-o", "table")
    assert ended.returncode == 0, ended.stderr
    assert "completed" in ended.stdout
    assert not list((tmp_path / "state" / "runs").iterdir())


def test_a_job_that_fails_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICEWORKS_DATA_DIR", str(tmp_path / "state"))
    failing = {"_op": "script", "command": "/bin/false"}
    ended = run_cli("run", write_job(tmp_path, generated(failing, size=2, max_retries=0)))
    assert ended.returncode == 10
    assert json.loads(ended.stdout)["slices_failed"] == 2
    (folder,) = (tmp_path / "state" / "runs").iterdir()
    assert str(folder) in ended.stderr
    assert (folder / "logs" / "master.log").exists()


def test_ctrl_c_stops_the_execution_and_the_cluster(tmp_path: Path) -> None:
    output = tmp_path / "output"
    job = generated(delay(20), exporter(output), size=1, workers=1, lifecycle="persistent")
    with command("run", write_job(tmp_path, job), "--data-dir", str(tmp_path / "data")) as run:
        eventually(output.exists, "the job has written something")
        run.process.send_signal(2)
        summary, errors = run.process.communicate(timeout=60)
        assert run.process.returncode == 12, errors
        assert json.loads(summary)["status"] == "stopped"
        run.wait_until_nothing_is_left()
