"""What each change of the cluster's state does to the tables: the same statements by name on every engine.

A change that contradicts what is stored raises, and its transaction leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Protocol, assert_never

from sliceworks.master.store.records import (
    AddExecution,
    AddJob,
    Change,
    DeleteJob,
    ForgetAsset,
    ForgetNode,
    JobChange,
    SaveAsset,
    SaveExecution,
    SaveJob,
    SaveNode,
    SaveTotals,
)
from sliceworks.master.store.rows import Columns, asset_columns, execution_columns, job_columns
from sliceworks.protocol.errors import ConflictError, GoneError


class OneLivingError(Exception):
    """An execution was added to a job that has a living one."""


class Statements(Protocol):
    """The statements of an engine's file, in one transaction."""

    def run(self, name: str, values: Mapping[str, object]) -> int:
        """Execute one; how many rows it changed.  OneLivingError."""
        ...

    def first(self, name: str, values: Mapping[str, object]) -> Columns | None:
        """The first row that one finds."""
        ...


def apply_all(statements: Statements, changes: Sequence[Change]) -> None:
    """Make all changes, in order; ConflictError or GoneError if one of them cannot be made."""
    for change in changes:
        _apply(statements, change)


def _apply(statements: Statements, change: Change) -> None:
    match change:
        case AddJob() | SaveJob() | DeleteJob():
            _change_job(statements, change)
        case AddExecution():
            _add_execution(statements, change)
        case SaveExecution(row):
            statements.run("save_execution", execution_columns(row))
        case SaveNode(node):
            statements.run("save_node", asdict(node))
        case ForgetNode(node_id):
            statements.run("forget_node", {"node_id": node_id})
        case SaveTotals(totals):
            statements.run("save_totals", asdict(totals))
        case SaveAsset(asset):
            statements.run("save_asset", asset_columns(asset))
        case ForgetAsset(asset_id):
            statements.run("forget_asset", {"asset_id": asset_id})
        case _:
            assert_never(change)


def _change_job(statements: Statements, change: JobChange) -> None:
    match change:
        case AddJob(job):
            statements.run("add_job", job_columns(job))
        case SaveJob(job, replaces_ms):
            _refuse_deleted(statements, job.job_id, "has been deleted and cannot be updated")
            if not statements.run("save_job", {**job_columns(job), "replaces_ms": replaces_ms}):
                message = (
                    f"Job {job.job_id} was changed at the same time: read it again, and repeat the change"
                )
                raise ConflictError(message)
        case DeleteJob(job_id, deleted_ms):
            _refuse_deleted(statements, job_id, "has already been deleted")
            statements.run("delete_job", {"job_id": job_id, "deleted_ms": deleted_ms})
            statements.run("delete_executions", {"job_id": job_id, "deleted_ms": deleted_ms})
        case _:
            assert_never(change)


def _add_execution(statements: Statements, change: AddExecution) -> None:
    row = change.row
    _refuse_deleted(statements, row.job_id, "has been deleted and cannot be started")
    try:
        statements.run("add_execution", execution_columns(row))
    except OneLivingError as error:
        message = f"Job {row.job_id} is currently running, cannot have the same job concurrently running"
        raise ConflictError(message) from error
    statements.run("add_document", {"ex_id": row.ex_id, "document": change.document.decode()})


def _refuse_deleted(statements: Statements, job_id: str, verdict: str) -> None:
    found = statements.first("deleted", {"job_id": job_id})
    if found and found["deleted"]:
        message = f"Job {job_id} {verdict}."
        raise GoneError(message)
