"""Records to and from the columns of the SQL stores.  What is nested travels as JSON text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any, Final, Protocol

import orjson
from msgspec import structs

from sliceworks.master.store.batch import Head
from sliceworks.master.store.records import (
    AssetRecord,
    ExecutionRow,
    Fate,
    JobRecord,
    NodeRecord,
    StoredExecution,
    Totals,
)
from sliceworks.protocol.messages import OperationTotals, SliceCounts, Statistics, Wishes
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus


class Columns(Protocol):
    """A database row of any engine."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a column, as its type in the schema promises."""
        ...

    def keys(self) -> Collection[str]:
        """The names of the columns; a file that an older version wrote has fewer."""
        ...


_NOBODY: Final = Identity(0, 0, "")


def job_columns(job: JobRecord) -> dict[str, object]:
    """For `add_job`."""
    return {
        "job_id": job.job_id,
        "name": job.name,
        "document": job.document.decode(),
        "created_ms": job.created_ms,
        "updated_ms": job.updated_ms,
    }


def job_of(columns: Columns) -> JobRecord:
    """The job of a row."""
    return JobRecord(
        job_id=columns["job_id"],
        name=columns["name"],
        document=columns["document"].encode(),
        created_ms=columns["created_ms"],
        updated_ms=columns["updated_ms"],
        deleted_ms=columns["deleted_ms"],
    )


def execution_columns(row: ExecutionRow) -> dict[str, object]:
    """For `add_execution` and `save_execution`."""
    controller = row.controller or _NOBODY
    return {
        "ex_id": row.ex_id,
        "job_id": row.job_id,
        "name": row.name,
        "status": row.status.value,
        "reason": row.reason,
        **structs.asdict(row.wishes),
        "generation": row.generation,
        "secret": row.secret,
        "controller_pid": controller.pid,
        "controller_start_time": controller.start_time,
        "controller_boot_id": controller.boot_id,
        "controller_port": row.port,
        "outcome": row.fate.outcome,
        "verdict": row.fate.verdict,
        "failure": row.failure,
        "has_errors": row.has_errors,
        "statistics": _text(structs.asdict(row.statistics)),
        "counts": _text(structs.asdict(row.counts)),
        "operations": _text([structs.asdict(totals) for totals in row.operations]),
        "counted": _text(structs.asdict(row.counted)),
        "placement": _text(dict(row.placement)),
        "lineage": row.lineage,
        "created_ms": row.created_ms,
        "updated_ms": row.updated_ms,
    }


def execution_of(columns: Columns) -> StoredExecution:
    """The execution of a row that has its document."""
    row = ExecutionRow(
        ex_id=columns["ex_id"],
        job_id=columns["job_id"],
        name=columns["name"],
        created_ms=columns["created_ms"],
        updated_ms=columns["updated_ms"],
        status=ExecutionStatus(columns["status"]),
        wishes=_wishes_of(columns),
        reason=columns["reason"],
        generation=columns["generation"],
        secret=columns["secret"],
        controller=_controller_of(columns),
        port=columns["controller_port"],
        fate=Fate(columns["outcome"], columns["verdict"]),
        failure=columns["failure"],
        has_errors=bool(columns["has_errors"]),
        statistics=Statistics(**orjson.loads(columns["statistics"])),
        counts=SliceCounts(**orjson.loads(columns["counts"])),
        operations=tuple(OperationTotals(**totals) for totals in orjson.loads(columns["operations"])),
        counted=Statistics(**orjson.loads(columns["counted"])),
        placement=orjson.loads(columns["placement"]),
        lineage=columns["lineage"],
    )
    return StoredExecution(row, columns["document"].encode(), columns["deleted_ms"])


def head_of(columns: Columns) -> Head:
    """The head of an execution's store; what an older version did not write is as it was then."""
    known = set(columns.keys())
    return Head(**{field.name: columns[field.name] for field in fields(Head) if field.name in known})


def node_of(columns: Columns) -> NodeRecord:
    """The node of a row."""
    values = {name: columns[name] for name in NodeRecord.__dataclass_fields__}
    return NodeRecord(**{**values, "drained": bool(columns["drained"])})


def asset_columns(asset: AssetRecord) -> dict[str, object]:
    """For `save_asset`."""
    return {
        "asset_id": asset.asset_id,
        "name": asset.name,
        "version": asset.version,
        "created_ms": asset.created_ms,
        "description": asset.description,
        "python_version": asset.python_version,
        "platform": asset.platform,
        "arch": asset.arch,
        "document": asset.document.decode(),
        "operations": _text(asset.operations),
        "deleted_ms": asset.deleted_ms,
    }


def asset_of(columns: Columns) -> AssetRecord:
    """The asset of a row."""
    plain = {name: columns[name] for name in AssetRecord.__dataclass_fields__}
    operations = tuple(orjson.loads(columns["operations"]))
    return AssetRecord(**{**plain, "document": columns["document"].encode(), "operations": operations})


def totals_of(columns: Columns) -> Totals:
    """The sums of the one row that has them."""
    return Totals(**{name: columns[name] for name in Totals.__dataclass_fields__})


def _wishes_of(columns: Columns) -> Wishes:
    return Wishes(
        workers=columns["workers"],
        paused=bool(columns["paused"]),
        stopping=bool(columns["stopping"]),
        grace_ms=columns["grace_ms"],
        log_level=columns["log_level"],
    )


def _controller_of(columns: Columns) -> Identity | None:
    identity = Identity(
        columns["controller_pid"], columns["controller_start_time"], columns["controller_boot_id"]
    )
    return None if identity == _NOBODY else identity


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
