"""Where each engine keeps the fields that lists are searched and sorted by (`master/search/fields.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sliceworks.master.search.sql import Columns
from sliceworks.protocol.states import SliceState

_JOB: Final = {
    "job_id": "j.job_id",
    "name": "j.name",
    "_context": "'job'",
    "_created": "j.created_ms",
    "_updated": "j.updated_ms",
    "_deleted_on": "j.deleted_ms",
}
_EXECUTION: Final = {
    "ex_id": "e.ex_id",
    "job_id": "e.job_id",
    "name": "e.name",
    "workers": "e.workers",
    "slicer_port": "nullif(e.controller_port, 0)",
    "_status": "e.status",
    "_status_reason": "e.reason",
    "_failureReason": "e.failure",
    "_has_errors": "e.has_errors",
    "_context": "'ex'",
    "_created": "e.created_ms",
    "_updated": "e.updated_ms",
    "_deleted_on": "e.deleted_ms",
}
_STATES: Final = " ".join(f"WHEN {state.value} THEN '{state.name.lower()}'" for state in SliceState)
_ERROR: Final = SliceState.ERROR.value
_SLICE: Final = {
    "seq": "s.seq",
    "slice_id": "s.slice_id",
    "slicer_id": "s.slicer_id",
    "slicer_order": "s.slicer_order",
    "state": f"CASE s.state {_STATES} END",
    "_created": "s.created_ms",
    "_updated": "s.updated_ms",
    "retry_count": f"(s.op_errors - CASE WHEN s.state = {_ERROR} AND s.op_errors > 0 THEN 1 ELSE 0 END)",
    "reason": "nullif(s.reason, '')",
}


def _error(attempts: str) -> str:
    """The text of the attempt that ended a slice."""
    last = (
        f"SELECT a.error FROM attempts a WHERE {attempts} AND a.error <> '' "  # noqa: S608 - ours
        "ORDER BY a.epoch DESC LIMIT 1"
    )
    return f"CASE s.state WHEN {_ERROR} THEN coalesce(({last}), nullif(s.error, ''), s.reason) END"


def _sqlite_json(source: str, **keys: str) -> dict[str, str]:
    return {name: f"json_extract({source}, '$.{key}')" for name, key in keys.items()}


def _postgres_json(source: str, kind: str, *keys: str) -> dict[str, str]:
    return {key: f"({source}::json ->> '{key}')::{kind}" for key in keys}


def _bytewise(sql: str) -> str:
    """In the order of SQLite, whatever the language of the database."""
    return f'({sql} COLLATE "C")'


def _below(name: str, columns: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}.{key}": sql for key, sql in columns.items()}


_REQUIRED: Final = frozenset({"seq", "_created", "_updated", "ex_id", "job_id", "name"})
_COUNTERS: Final = ("processed", "failed", "job_duration")
_POSTGRES_ACTIVE: Final = (
    "CASE j.document::json ->> 'active' WHEN 'true' THEN true WHEN 'false' THEN false END"
)
_TEXT: Final = 'text COLLATE "C"'

SQLITE_JOBS: Final = Columns(
    {
        **_JOB,
        "_deleted": "(j.deleted_ms IS NOT NULL)",
        "active": "CASE WHEN j.deleted_ms IS NULL THEN json_extract(j.document, '$.active') ELSE 0 END",
        **_sqlite_json("j.document", lifecycle="lifecycle", workers="workers", slicers="slicers"),
    },
    {"": "j.document"},
    _REQUIRED,
)
SQLITE_EXECUTIONS: Final = Columns(
    {
        **_EXECUTION,
        "_deleted": "(e.deleted_ms IS NOT NULL)",
        **_sqlite_json("d.document", lifecycle="lifecycle", slicers="slicers"),
        **_below("_slicer_stats", _sqlite_json("e.statistics", **{key: key for key in _COUNTERS})),
    },
    {"": "d.document", "_slicer_stats": "e.statistics"},
    _REQUIRED,
)
SQLITE_SLICES: Final = Columns(
    {
        **_SLICE,
        "ex_id": "(SELECT ex_id FROM execution)",
        "request": "CAST(s.request AS TEXT)",
        "error": _error("a.seq = s.seq"),
    },
    {"request": "CAST(s.request AS TEXT)"},
    _REQUIRED,
)
POSTGRES_JOBS: Final = Columns(
    {
        **_JOB,
        "_deleted": "(j.deleted_ms IS NOT NULL)",
        "active": "CASE WHEN j.deleted_ms IS NULL THEN " + _POSTGRES_ACTIVE + " ELSE false END",
        **_postgres_json("j.document", _TEXT, "lifecycle"),
        **_postgres_json("j.document", "numeric", "workers", "slicers"),
    },
    {"": "j.document"},
    _REQUIRED,
)
POSTGRES_EXECUTIONS: Final = Columns(
    {
        **_EXECUTION,
        "_deleted": "(e.deleted_ms IS NOT NULL)",
        "_status_reason": _bytewise("e.reason"),
        "_failureReason": _bytewise("e.failure"),
        **_postgres_json("d.document", _TEXT, "lifecycle"),
        **_postgres_json("d.document", "numeric", "slicers"),
        **_below("_slicer_stats", _postgres_json("e.statistics", "numeric", *_COUNTERS)),
    },
    {"": "d.document", "_slicer_stats": "e.statistics"},
    _REQUIRED,
)
POSTGRES_SLICES: Final = Columns(
    {
        **_SLICE,
        "reason": _bytewise(_SLICE["reason"]),
        "ex_id": "(SELECT h.ex_id FROM execution_heads h WHERE h.ex = s.ex)",
        "request": "convert_from(s.request, 'UTF8')",
        "error": _error("a.ex = s.ex AND a.seq = s.seq"),
    },
    {"request": "convert_from(s.request, 'UTF8')"},
    _REQUIRED,
)
