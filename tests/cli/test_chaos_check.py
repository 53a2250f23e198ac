"""What chaos looks for: each fault that the product must not have, planted in what an execution left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli import chaos_check
from sliceworks.cli.chaos_check import Evidence, Findings, check
from sliceworks.master.store.verify import VerifyReport
from sliceworks.protocol.messages import SliceCounts

SLICES = 4
STARTED = {"start": "2026-01-01T00:00:00.000Z"}
NOT_STARTED = {"start": None}


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    """An execution that has everything exactly once."""
    left = Left(tmp_path)
    monkeypatch.setattr(chaos_check, "read_slices", lambda *_, **__: left.records)
    monkeypatch.setattr(
        chaos_check, "verify_execution", lambda _: VerifyReport(SliceCounts(), "completed", left.differences)
    )
    return left


class Left:
    """What an execution left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = "completed"
        self.differences: tuple[str, ...] = ()
        self.records: list[dict[str, Any]] = [
            {"slicer_id": 0, "slicer_order": order, "state": "completed", "attempts": [STARTED]}
            for order in range(1, SLICES + 1)
        ]
        for number in range(SLICES):
            self.write("output", number)

    def write(self, what: str, number: int, *, name: str = "", end: str = "\n") -> None:
        path = self.folder / what / (name or f"{number}.ldjson")
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps({"id": number}) + end)

    def lose(self, order: int) -> None:
        """A slice that ended as lost."""
        self.records[order - 1] |= {"state": "error", "reason": "lost"}
        self.status = "failed"

    def found(self, *, once: bool = False) -> Findings:
        findings = Findings()
        begun = self.folder / "begun" if once else None
        check(
            Evidence(
                "ex", self.status, SLICES, store=self.folder, output=self.folder / "output", begun=begun
            ),
            findings,
        )
        return findings


def test_all_is_well(left: Left) -> None:
    left.records[0]["attempts"].append(STARTED)
    findings = left.found()
    assert findings.ok
    assert (findings.executions, findings.slices, findings.extra_attempts) == (1, SLICES, 1)


def test_a_slice_that_is_not_there(left: Left) -> None:
    del left.records[2]
    assert left.found().lost == 1


def test_a_slice_that_did_not_end(left: Left) -> None:
    left.records[2]["state"] = "start"
    assert left.found().lost == 1


def test_a_slice_that_is_there_twice(left: Left) -> None:
    left.records.append(left.records[0])
    assert left.found().accounted_twice == 1


def test_a_record_that_is_missing_and_one_that_is_too_many(left: Left) -> None:
    (left.folder / "output" / "1.ldjson").unlink()
    left.write("output", 3)
    missing, surplus = left.found().faults
    assert "1 records are missing" in missing
    assert "1 records are in the output too often" in surplus


def test_hidden_and_half_written_output_is_none(left: Left) -> None:
    left.write("output", 1, name=".1.tmp")
    left.write("output", 2, name="half", end="")
    assert left.found().ok


def test_counters_that_differ_and_a_wrong_end(left: Left) -> None:
    left.differences, left.status = ("completed: 3, not 4",), "failed"
    assert len(left.found().faults) == 2


def test_lost_is_wrong_unless_it_was_asked_for(left: Left) -> None:
    left.lose(2)
    assert not left.found().ok
    findings = left.found(once=True)
    assert findings.ok
    assert findings.ended_as_lost == 1


def test_lost_and_not_written_is_legal_too(left: Left) -> None:
    left.lose(2)
    (left.folder / "output" / "1.ldjson").unlink()
    assert left.found(once=True).ok


def test_an_error_of_another_reason(left: Left) -> None:
    left.lose(2)
    left.records[1]["reason"] = "failed"
    assert not left.found(once=True).ok


def test_begun_twice_by_attempts_or_by_marks(left: Left) -> None:
    left.records[0]["attempts"] = [NOT_STARTED, STARTED]
    assert left.found(once=True).begun_twice == 0
    left.records[0]["attempts"] = [STARTED, STARTED]
    left.write("begun", 0)
    left.write("begun", 2)
    left.write("begun", 2)
    assert left.found(once=True).begun_twice == 2
