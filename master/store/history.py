"""Reading the store of an execution, its controller alive or not: the master's side.

Every function takes where the store lies (`reading.py`), blocks, and sees what its controller has committed.
A store that does not exist yet reads as empty.  Slice records have the shape that the API shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sliceworks.master.store.batch import Head
from sliceworks.master.store.lists import SliceList, scan_of
from sliceworks.master.store.reading import Reader, StorePlace, ex_id_at, reading
from sliceworks.master.store.records import Order, Page
from sliceworks.master.store.rows import Columns, head_of
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import OperationTotals, SliceCounts
from sliceworks.protocol.states import ResultKind, SliceState
from sliceworks.protocol.timestamps import iso_from_ms

_AT_ONCE: Final = 1_000
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


def read_list(place: StorePlace, wanted: SliceList) -> list[dict[str, Any]]:
    """Slice records; InvalidError if what is wanted costs too much."""
    with reading(place) as reader:
        head = _head(reader)
        ex_id = ex_id_at(place)
        scan = scan_of(wanted, head, ex_id) if head else None
        return _records(reader, reader.find(scan), ex_id) if reader and scan else []


def read_slices(
    place: StorePlace, *, state: SliceState | None, size: int, offset: int, descending: bool = False
) -> list[dict[str, Any]]:
    """Slice records by seq, in one state or in any."""
    return read_list(place, SliceList(Page(size, offset, (Order("_created", descending),)), state))


def _head(reader: Reader | None) -> Head | None:
    for row in reader.rows("head") if reader else []:
        return head_of(row)
    return None


def _counts(head: Head) -> SliceCounts:
    return SliceCounts(head.pending, head.start, head.completed, head.error)


def _totals(row: Columns) -> OperationTotals:
    return OperationTotals(**{name: row[name] for name in OperationTotals.__struct_fields__})


def _records(reader: Reader, seqs: Sequence[int], ex_id: ExId) -> list[dict[str, Any]]:
    """In the order of the seqs; those that do not exist are left out."""
    nodes = {row["node"]: row["node_id"] for row in reader.rows("nodes")}
    records = []
    for start in range(0, len(seqs), _AT_ONCE):
        part = seqs[start : start + _AT_ONCE]
        listed = reader.listing(part)
        rows = {row["seq"]: row for row in reader.rows("slices_listed", seqs=listed)}
        again = reader.listing([seq for seq, row in rows.items() if row["epoch"] > 1])
        later = defaultdict(list)
        for attempt in reader.rows("attempts_listed", seqs=again):
            later[attempt["seq"]].append(attempt)
        found = [(rows[seq], later[seq]) for seq in part if seq in rows]
        records += [_record(row, attempts, ex_id=ex_id, nodes=nodes) for row, attempts in found]
    return records


def _record(row: Columns, later: Sequence[Columns], *, ex_id: ExId, nodes: dict[int, str]) -> dict[str, Any]:
    attempts = _attempts(row, later, nodes)
    retries = row["op_errors"] if row["state"] != SliceState.ERROR else max(0, row["op_errors"] - 1)
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
        "retry_count": retries,
    }
    optional = {"reason": row["reason"], "error": _error(row, attempts)}
    return record | {name: value for name, value in optional.items() if value}


def _error(row: Columns, attempts: list[dict[str, Any]]) -> str | None:
    """The text of the attempt that ended the slice."""
    if row["state"] != SliceState.ERROR:
        return None
    texts: list[str] = [attempt["error"] for attempt in attempts if attempt.get("error")]
    return texts[-1] if texts else str(row["reason"])


def _attempts(row: Columns, later: Sequence[Columns], nodes: dict[int, str]) -> list[dict[str, Any]]:
    if not row["epoch"]:
        return []
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
