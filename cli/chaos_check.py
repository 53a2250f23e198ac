"""Whether an execution that went through chaos has everything exactly once.

What must be there is known beforehand: the slices are numbered, and each writes one record with its number.
Everything is read from the files: the execution's store, and what `file_exporter` wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from sliceworks.master.store.history import read_slices
from sliceworks.master.store.verify import verify_execution

_ENDED: Final = frozenset({"completed", "error"})


@dataclass(slots=True)
class Findings:
    """What was found, over all executions so far."""

    executions: int = 0
    slices: int = 0
    extra_attempts: int = 0
    lost: int = 0
    accounted_twice: int = 0
    ended_as_lost: int = 0
    begun_twice: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.accounted_twice or self.begun_twice or self.faults)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an execution has left what can be checked."""

    ex_id: str
    status: str
    slices: int
    store: Path
    output: Path
    begun: Path | None  # with `max_attempts: 1`: a record for each slice that was begun


def check(evidence: Evidence, findings: Findings) -> None:
    """Check one execution that is over, and whose processes are gone."""
    records = read_slices(evidence.store, state=None, size=10 * evidence.slices, offset=0)
    orders = Counter((record["slicer_id"], record["slicer_order"]) for record in records)
    ended = {record["slicer_order"] - 1 for record in records if record["state"] in _ENDED}
    findings.executions += 1
    findings.slices += evidence.slices
    findings.lost += evidence.slices - len(ended)
    findings.accounted_twice += sum(orders.values()) - len(orders)
    findings.extra_attempts += sum(len(record["attempts"]) - 1 for record in records)
    findings.begun_twice += _begun_twice(evidence, records)
    findings.ended_as_lost += sum(record.get("reason") == "lost" for record in records)
    findings.faults += [f"{evidence.ex_id}: {fault}" for fault in _faults(evidence, records)]


def _faults(evidence: Evidence, records: list[dict[str, Any]]) -> Iterator[str]:
    yield from verify_execution(evidence.store).differences
    wrong = [record for record in records if record["state"] == "error" and record.get("reason") != "lost"]
    if wrong:
        yield f"{len(wrong)} slices ended in error, the first one of them by: {wrong[0].get('error')}"
    lost = {record["slicer_order"] - 1 for record in records if record["state"] == "error"}
    if lost and evidence.begun is None:
        yield f"{len(lost)} slices ended as lost although they may be tried again"
    expected = "failed" if lost else "completed"
    if evidence.status != expected:
        yield f"it ended {evidence.status}, not {expected}"
    yield from _output_faults(evidence, lost)


def _output_faults(evidence: Evidence, lost: set[int]) -> Iterator[str]:
    """The output as a multiset; a slice that ended as lost may have written its record or not."""
    written = _ids(evidence.output)
    expected = Counter(number for number in range(evidence.slices) if number not in lost or written[number])
    missing, surplus = expected - written, written - expected
    if missing:
        yield f"{missing.total()} records are missing in the output, such as {min(missing)}"
    if surplus:
        yield f"{surplus.total()} records are in the output too often, such as {min(surplus)}"


def _begun_twice(evidence: Evidence, records: list[dict[str, Any]]) -> int:
    """Slices begun twice, by their attempts or by what they wrote when they began."""
    if evidence.begun is None:
        return 0
    by_attempts = {
        record["slicer_order"] - 1
        for record in records
        if sum(attempt["start"] is not None for attempt in record["attempts"]) > 1
    }
    by_marks = {number for number, count in _ids(evidence.begun).items() if count > 1}
    return len(by_attempts | by_marks)


def _ids(folder: Path) -> Counter[int]:
    """How often each record is there; a last line that a killed worker left half written is none."""
    files = folder.iterdir() if folder.exists() else ()
    lines = [
        line
        for file in files
        if not file.name.startswith(".")
        for line in file.read_bytes().splitlines(keepends=True)
    ]
    return Counter(
        orjson.loads(line)["id"] for line in lines if line.startswith(b"{") and line.endswith(b"}\n")
    )
