"""What a run prints at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli.client import Counts
from sliceworks.cli.job_run import RunResult
from sliceworks.cli.output import Style
from sliceworks.cli.summary import print_summary

EXECUTION: dict[str, Any] = {
    "ex_id": "e",
    "job_id": "j",
    "_status": "completed",
    "operations": [{"_op": "data_generator"}, {"_op": "file_exporter", "path": "/results"}],
    "_analytics": [
        {
            "op": "data_generator",
            "slices": 3,
            "time_us": 1_500_000,
            "records_in": 0,
            "records_out": 9,
            "memory_bytes": 1,
        },
        {
            "op": "file_exporter",
            "slices": 3,
            "time_us": 500,
            "records_in": 9,
            "records_out": 9,
            "memory_bytes": 1,
        },
    ],
}


def result(**changes: Any) -> RunResult:
    return RunResult(
        EXECUTION | changes, Counts(pending=0, start=0, completed=3, error=0), 2.34567, Path("data")
    )


def test_on_a_pipe_it_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(result(), Style.NDJSON)
    summary = json.loads(capsys.readouterr().out)
    assert summary["status"] == "completed"
    assert summary["seconds"] == 2.346
    assert [entry["operation"] for entry in summary["operations"]] == ["data_generator", "file_exporter"]
    assert summary["operations"][0]["seconds"] == 1.5
    assert summary["results"] == ["/results"]


def test_on_a_terminal_it_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(result(), Style.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "completed in 2.35 s: 3 slices completed, 0 failed"
    assert lines[-1] == "result: /results"
    assert any(line.split()[:4] == ["data_generator", "3", "0", "9"] for line in lines)


def test_a_failure_comes_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(result(_status="failed", _failureReason="3 slices failed"), Style.TABLE)
    assert "reason: 3 slices failed" in capsys.readouterr().out
