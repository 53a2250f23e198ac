"""What a run shows of where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.cli.client import Counts
from sliceworks.cli.job_run import snapshot_of
from sliceworks.cli.progress import Snapshot, display, line


def snapshot(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "status": "running", "done": 50, "made": 100, "failed": 0, "records": 1234, "sliced": True,
    }  # fmt: skip
    return Snapshot(**values | changes)


def test_a_line_says_everything() -> None:
    assert line(snapshot(), seconds=10) == "running, 50 of 100 slices, 1,234 records, 5.0 slices/s, 10 s left"


def test_nothing_is_promised_while_slices_are_still_made() -> None:
    told = line(snapshot(sliced=False, failed=2), seconds=10)
    assert told == "running, 50 of 100 or more slices, 2 failed, 1,234 records, 5.0 slices/s"


def test_the_first_moment_has_no_rate() -> None:
    assert line(snapshot(done=0), seconds=0) == "running, 0 of 100 slices, 1,234 records, 0.0 slices/s"


def test_off_a_terminal_a_fast_run_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with display() as shown:
        shown.show(snapshot())
    assert capsys.readouterr().err == ""


def test_a_snapshot_is_made_of_what_the_api_says() -> None:
    execution = {
        "_status": "failing",
        "_analytics": [{"op": 0, "records_out": 70}, {"op": 1, "records_out": 7}],
        "_slicer_stats": {"queuing_complete": "2026-11-21T00:00:00.000Z"},
    }
    assert snapshot_of(execution, Counts(pending=1, start=2, completed=3, error=4)) == Snapshot(
        "failing", 7, 10, 4, 70, sliced=True
    )


def test_a_snapshot_can_be_made_before_anything_has_run() -> None:
    assert snapshot_of({"_status": "pending"}, Counts(pending=0, start=0, completed=0, error=0)) == Snapshot(
        "pending", 0, 0, 0, 0, sliced=False
    )
