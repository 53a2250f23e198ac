"""What `run` prints at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sliceworks.cli.job_run import RunResult
from sliceworks.cli.output import Style, print_document, print_rows

COLUMNS = ("operation", "slices", "records_in", "records_out", "seconds", "memory_mb")


def print_summary(result: RunResult, style: Style) -> None:
    """A few lines and a table on a terminal, one document elsewhere."""
    document = summary_of(result)
    if style is not Style.TABLE:
        print_document(document, style)
        return
    click.echo(
        f"{document['status']} in {document['seconds']:.2f} s: "
        f"{document['slices_completed']:,} slices completed, {document['slices_failed']:,} failed"
    )
    if document["reason"]:
        click.echo(f"reason: {document['reason']}")
    print_rows(document["operations"], COLUMNS, style)
    for path in document["results"]:
        click.echo(f"result: {path}")


def summary_of(result: RunResult) -> dict[str, Any]:
    """How the run ended, as a document."""
    execution = result.execution
    return {
        "ex_id": execution["ex_id"],
        "job_id": execution["job_id"],
        "status": result.status.value,
        "reason": execution.get("_failureReason") or execution.get("_status_reason") or "",
        "slices_completed": result.counts.completed,
        "slices_failed": result.counts.error,
        "slices_left": result.counts.made - result.counts.done,
        "seconds": round(result.seconds, 3),
        "operations": [_operation(totals) for totals in execution.get("_analytics") or []],
        "results": _results(execution),
    }


def _operation(totals: dict[str, Any]) -> dict[str, Any]:
    return {
        "operation": totals["op"],
        "slices": totals["slices"],
        "records_in": totals["records_in"],
        "records_out": totals["records_out"],
        "seconds": round(totals["time_us"] / 1_000_000, 3),
        "memory_mb": round(totals["memory_bytes"] / 1_000_000, 1),
    }


def _results(execution: dict[str, Any]) -> list[str]:
    """The folders that the job wrote to."""
    exporters = [op for op in execution["operations"] if op["_op"] == "file_exporter"]
    return [str(Path(op["path"]).absolute()) for op in exporters]
