"""What the lists can be searched and sorted by.

A named field is a column of the store and has a kind, which says how it is compared.  Below a root lies JSON,
searched by dotted paths, as deep as the client wants; what is an array there counts as each of its elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from sliceworks.master.search.clauses import FieldName, fault


class Kind(Enum):
    """How values of a field are compared."""

    KEYWORD = auto()
    """Short text: as a whole, upper and lower case differ."""

    TEXT = auto()
    """Long text: what occurs anywhere in it, upper and lower case of ASCII letters are the same."""

    NUMBER = auto()
    MOMENT = auto()
    """Milliseconds in the store, ISO 8601 outside."""

    FLAG = auto()
    ID = auto()
    """Computed, and so compared as a whole or not at all."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field with a column of its own."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Path:
    """A place below a root."""

    root: str
    keys: tuple[str, ...]


Target: TypeAlias = Column | Path


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The fields of one kind of list."""

    noun: str
    columns: Mapping[str, Kind]
    roots: tuple[str, ...]  # of JSON; "" is the document itself
    defaults: tuple[Target, ...]  # where a value is looked for that names no field
    orders: frozenset[str]

    def find(self, name: FieldName) -> Target:
        """What a name means; InvalidError if it means nothing here."""
        kind = self.columns.get(str(name))
        if kind is not None:
            return Column(str(name), kind)
        if name.keys[0] in self.roots and len(name.keys) > 1:
            return Path(name.keys[0], name.keys[1:])
        if "" in self.roots:
            return Path("", name.keys)
        known = ", ".join(sorted(self.columns))
        raise fault(name.column, f"{self.noun} have no field {name}, only {known}")


_JOB_COLUMNS: Final = {
    "job_id": Kind.KEYWORD,
    "name": Kind.KEYWORD,
    "active": Kind.FLAG,
    "_context": Kind.KEYWORD,
    "_created": Kind.MOMENT,
    "_updated": Kind.MOMENT,
    "_deleted": Kind.FLAG,
    "_deleted_on": Kind.MOMENT,
}
_EXECUTION_COLUMNS: Final = {
    "ex_id": Kind.KEYWORD,
    "job_id": Kind.KEYWORD,
    "name": Kind.KEYWORD,
    "workers": Kind.NUMBER,
    "slicer_port": Kind.NUMBER,
    "_status": Kind.KEYWORD,
    "_status_reason": Kind.TEXT,
    "_failureReason": Kind.TEXT,
    "_has_errors": Kind.FLAG,
    "_context": Kind.KEYWORD,
    "_created": Kind.MOMENT,
    "_updated": Kind.MOMENT,
    "_deleted": Kind.FLAG,
    "_deleted_on": Kind.MOMENT,
}
_SLICE_COLUMNS: Final = {
    "slice_id": Kind.ID,
    "ex_id": Kind.KEYWORD,
    "slicer_id": Kind.NUMBER,
    "slicer_order": Kind.NUMBER,
    "request": Kind.TEXT,
    "state": Kind.KEYWORD,
    "_created": Kind.MOMENT,
    "_updated": Kind.MOMENT,
    "retry_count": Kind.NUMBER,
    "reason": Kind.KEYWORD,
    "error": Kind.TEXT,
}
_OPERATIONS: Final = Path("", ("operations", "_op"))


def _columns(known: Mapping[str, Kind], *names: str) -> tuple[Column, ...]:
    return tuple(Column(name, known[name]) for name in names)


JOBS: Final = FieldSet(
    "jobs",
    _JOB_COLUMNS,
    roots=("",),
    defaults=(*_columns(_JOB_COLUMNS, "job_id", "name"), _OPERATIONS),
    orders=frozenset(_JOB_COLUMNS) - {"_context"} | {"lifecycle", "workers", "slicers"},
)
EXECUTIONS: Final = FieldSet(
    "executions",
    _EXECUTION_COLUMNS,
    roots=("", "_slicer_stats"),
    defaults=(
        *_columns(_EXECUTION_COLUMNS, "ex_id", "job_id", "name", "_status", "_failureReason"),
        _OPERATIONS,
    ),
    orders=frozenset(_EXECUTION_COLUMNS) - {"_context"}
    | {
        "lifecycle",
        "slicers",
        "_slicer_stats.processed",
        "_slicer_stats.failed",
        "_slicer_stats.job_duration",
    },
)
SLICES: Final = FieldSet(
    "slices",
    _SLICE_COLUMNS,
    roots=("request",),
    defaults=_columns(_SLICE_COLUMNS, "slice_id", "request", "reason", "error"),
    orders=frozenset({"_created", "_updated", "slicer_id", "slicer_order", "state", "retry_count", "reason"}),
)
