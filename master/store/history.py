"""Reading the store of an execution, its controller alive or not: the master's side.

Every function takes where the store lies (`reading.py`), blocks, and sees what its controller has committed.
A store that does not exist yet reads as empty.  Slice records have the shape that the API shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sliceworks.master.store.batch import Head
from sliceworks.master.store.reading import Reader, StorePlace, ex_id_at, reading
from sliceworks.master.store.rows import Columns, head_of
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import OperationTotals, SliceCounts
from sliceworks.protocol.states import ResultKind, SliceState
from sliceworks.protocol.timestamps import iso_from_ms

_OUTCOME: Final[dict[int, str]] = {
    ResultKind.COMPLETED: "completed",
    ResultKind.ERROR: "error",
    ResultKind.FATAL: "error",
    ResultKind.LOST: "lost",
    ResultKind.RETURNED: "returned",
    ResultKind.TIMED_OUT: "timed_out",
}


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """How an execution ended, as its controller recorded it."""

    status: str
    failure: str
    head: Head
    slicers: int
    counts: SliceCounts
    operations: list[OperationTotals]


def read_outcome(place: StorePlace) -> StoredOutcome | None:
    """The outcome, if one is recorded."""
    with reading(place) as reader:
        head = _head(reader)
        if reader is None or head is None or head.outcome is None:
            return None
        return StoredOutcome(
            status=head.outcome,
            failure=head.outcome_failure or "",
            head=head,
            slicers=reader.rows("slicers")[0]["number"],
            counts=_counts(head),
            operations=[_totals(row) for row in reader.rows("operations")],
        )


def read_counts(place: StorePlace) -> SliceCounts:
    """Slices by state, from the counters."""
    with reading(place) as reader:
        head = _head(reader)
        return _counts(head) if head else SliceCounts()


def read_slices(
    place: StorePlace, *, state: SliceState | None, size: int, offset: int, descending: bool = False
) -> list[dict[str, Any]]:
    """Slice records by seq, in one state or in any."""
    return _records(place, "slices", descending=descending, state=state, size=size, offset=offset)


def read_errors(
    place: StorePlace, *, size: int, offset: int, descending: bool = True
) -> list[dict[str, Any]]:
    """Records of slices in `error`, by the time they ended."""
    return _records(place, "errors", descending=descending, size=size, offset=offset)


def read_slice(place: StorePlace, seq: Seq) -> dict[str, Any] | None:
    """One slice record; None if there is no such slice."""
    found = _records(place, "slice", descending=False, seq=seq)
    return found[0] if found else None


def _head(reader: Reader | None) -> Head | None:
    for row in reader.rows("head") if reader else []:
        return head_of(row)
    return None


def _counts(head: Head) -> SliceCounts:
    return SliceCounts(head.pending, head.start, head.completed, head.error)


def _totals(row: Columns) -> OperationTotals:
    return OperationTotals(**{name: row[name] for name in OperationTotals.__struct_fields__})


def _records(
    place: StorePlace, query: str, *, descending: bool, **parameters: object
) -> list[dict[str, Any]]:
    with reading(place) as reader:
        if reader is None:
            return []
        ex_id = ex_id_at(place)
        nodes = {row["node"]: row["node_id"] for row in reader.rows("nodes")}
        found = reader.rows(query, descending=descending, **parameters)
        return [_record(reader, row, ex_id=ex_id, nodes=nodes) for row in found]


def _record(reader: Reader, row: Columns, *, ex_id: ExId, nodes: dict[int, str]) -> dict[str, Any]:
    attempts = _attempts(reader, row, nodes)
    record: dict[str, Any] = {
        "slice_id": row["slice_id"] or slice_id_of(ex_id, Seq(row["seq"])),
        "slicer_id": row["slicer_id"],
        "slicer_order": row["slicer_order"],
        "request": row["request"].decode(),
        "state": SliceState(row["state"]).name.lower(),
        "ex_id": ex_id,
        "_created": iso_from_ms(row["created_ms"]),
        "_updated": iso_from_ms(row["updated_ms"]),
        "attempts": attempts,
    }
    retries = row["op_errors"] if row["state"] != SliceState.ERROR else max(0, row["op_errors"] - 1)
    optional = {"retry_count": retries, "reason": row["reason"], "error": _error(row, attempts)}
    return record | {name: value for name, value in optional.items() if value}


def _error(row: Columns, attempts: list[dict[str, Any]]) -> str | None:
    """The text of the attempt that ended the slice."""
    if row["state"] != SliceState.ERROR:
        return None
    texts: list[str] = [attempt["error"] for attempt in attempts if attempt.get("error")]
    return texts[-1] if texts else str(row["reason"])


def _attempts(reader: Reader, row: Columns, nodes: dict[int, str]) -> list[dict[str, Any]]:
    if not row["epoch"]:
        return []
    later = reader.rows("attempts", seq=row["seq"]) if row["epoch"] > 1 else []
    ended_ms = row["ended_ms"] or (row["updated_ms"] if row["kind"] is not None else None)
    first = _attempt(row, 1, nodes=nodes, ended_ms=ended_ms)
    return [first, *(_attempt(a, a["epoch"], nodes=nodes, ended_ms=a["ended_ms"]) for a in later)]


def _attempt(row: Columns, epoch: int, *, nodes: dict[int, str], ended_ms: int | None) -> dict[str, Any]:
    attempt = {
        "epoch": epoch,
        "start": iso_from_ms(row["started_ms"]) if row["started_ms"] else None,
        "end": iso_from_ms(ended_ms) if ended_ms else None,
        "run_us": row["run_us"],
        "node": nodes.get(row["node"]),
        "worker": row["worker"],
        "outcome": "running" if row["kind"] is None else _OUTCOME[row["kind"]],
    }
    optional = ("error", "op", "exit_code", "signal", "log_tail")
    return attempt | {name: row[name] for name in optional if row[name] not in (None, "")}
