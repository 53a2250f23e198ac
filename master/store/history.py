"""Reading the store of an execution, its controller alive or not: the master's side.

Every function opens the file read-only, blocks, and sees what its controller has committed.  A store that
does not exist yet reads as empty.  Slice records have the shape that the API shows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from sliceworks.master.store.batch import Head
from sliceworks.master.store.sqlite import load_queries, open_for_reading
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import OperationTotals, SliceCounts
from sliceworks.protocol.states import ResultKind, SliceState
from sliceworks.protocol.timestamps import iso_from_ms

_SQL: Final = load_queries("history.sql")
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


def read_outcome(path: Path) -> StoredOutcome | None:
    """The outcome, if one is recorded."""
    with _reading(path) as connection:
        head = _head(connection) if connection else None
        if connection is None or head is None or head.outcome is None:
            return None
        return StoredOutcome(
            status=head.outcome,
            failure=head.outcome_failure or "",
            head=head,
            slicers=connection.execute(_SQL["slicers"]).fetchone()[0],
            counts=_counts(head),
            operations=[OperationTotals(*row) for row in connection.execute(_SQL["operations"])],
        )


def read_counts(path: Path) -> SliceCounts:
    """Slices by state, from the counters."""
    with _reading(path) as connection:
        head = _head(connection) if connection else None
        return _counts(head) if head else SliceCounts()


def read_slices(
    path: Path, *, state: SliceState | None, size: int, offset: int, descending: bool = False
) -> list[dict[str, Any]]:
    """Slice records by seq, in one state or in any."""
    return _records(path, "slices", {"state": state, "size": size, "offset": offset}, descending=descending)


def read_errors(path: Path, *, size: int, offset: int, descending: bool = True) -> list[dict[str, Any]]:
    """Records of slices in `error`, by the time they ended."""
    return _records(path, "errors", {"size": size, "offset": offset}, descending=descending)


def read_slice(path: Path, seq: Seq) -> dict[str, Any] | None:
    """One slice record; None if there is no such slice."""
    found = _records(path, "slice", {"seq": seq}, descending=False)
    return found[0] if found else None


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    if not path.exists():
        yield None
        return
    with closing(open_for_reading(path)) as connection:
        try:
            yield connection
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise


def _head(connection: sqlite3.Connection) -> Head | None:
    row = connection.execute(_SQL["head"]).fetchone()
    return Head(**{field.name: row[field.name] for field in fields(Head)}) if row else None


def _counts(head: Head) -> SliceCounts:
    return SliceCounts(head.pending, head.start, head.completed, head.error)


def _records(path: Path, query: str, parameters: dict[str, Any], *, descending: bool) -> list[dict[str, Any]]:
    sql = _SQL[query].replace("{direction}", "DESC" if descending else "ASC")
    with _reading(path) as connection:
        if connection is None:
            return []
        ex_id = ExId(path.stem)
        nodes = {row["node"]: row["node_id"] for row in connection.execute(_SQL["nodes"])}
        return [
            _record(connection, row, ex_id, nodes) for row in connection.execute(sql, parameters).fetchall()
        ]
    return []


def _record(
    connection: sqlite3.Connection, row: sqlite3.Row, ex_id: ExId, nodes: dict[int, str]
) -> dict[str, Any]:
    attempts = _attempts(connection, row, nodes)
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


def _error(row: sqlite3.Row, attempts: list[dict[str, Any]]) -> str | None:
    """The text of the attempt that ended the slice."""
    if row["state"] != SliceState.ERROR:
        return None
    texts: list[str] = [attempt["error"] for attempt in attempts if attempt.get("error")]
    return texts[-1] if texts else str(row["reason"])


def _attempts(
    connection: sqlite3.Connection, row: sqlite3.Row, nodes: dict[int, str]
) -> list[dict[str, Any]]:
    if not row["epoch"]:
        return []
    later = connection.execute(_SQL["attempts"], (row["seq"],)).fetchall() if row["epoch"] > 1 else []
    first = _attempt(
        row, 1, nodes, row["ended_ms"] or (row["updated_ms"] if row["kind"] is not None else None)
    )
    return [first, *(_attempt(a, a["epoch"], nodes, a["ended_ms"]) for a in later)]


def _attempt(row: sqlite3.Row, epoch: int, nodes: dict[int, str], ended_ms: int | None) -> dict[str, Any]:
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
