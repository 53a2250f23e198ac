"""What the master shows on `/metrics`, taken from what it knows at one moment.

Taking a snapshot is quick and happens in the loop; the figures are made of it in a thread, because with
thousands of executions they are many.  Only executions that live, and the last RECENT that ended, are shown:
what they are labelled with does not pile up in Prometheus' memory faster than they are run.
"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sliceworks.master.cluster.view import ControllerView, ExecutionView
from sliceworks.master.metrics.families import MASTER_FAMILIES
from sliceworks.master.metrics.snapshot import MasterInfo, Snapshot
from sliceworks.master.store.records import ExecutionRow
from sliceworks.protocol.exposition import Sheet, own_process
from sliceworks.protocol.messages import SliceTimings
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus
from sliceworks.protocol.timings import RUN_BOUNDS_US, WAIT_BOUNDS_MS

_RESOURCES: Final = {
    "cpu_request": ("resources_requests_cpu", "cpu"),
    "cpu_limit": ("resources_limits_cpu", "cpu"),
    "memory_request": ("resources_requests_memory", "memory"),
    "memory_limit": ("resources_limits_memory", "memory"),
}


def encoded(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The text for a scraper, and its content type."""
    sheet = Sheet(MASTER_FAMILIES)
    _put_master(sheet, snapshot)
    _put_cluster(sheet, snapshot)
    for view in snapshot.controllers:
        _put_controller(sheet, view, snapshot.about.cluster)
    for shown in snapshot.executions:
        _put_execution(sheet, shown, snapshot.about)
    _put_processes(sheet, snapshot)
    return sheet.encoded(accept)


def _put_master(sheet: Sheet, snapshot: Snapshot) -> None:
    about, totals = snapshot.about, snapshot.totals
    cluster, python = about.cluster, f"v{platform.python_version()}"
    versions = (python, sys.platform, about.api_version, about.own_version)
    sheet.put("teraslice_master_info", (cluster, about.architecture, "native", *versions), 1)
    sheet.put("teraslice_slices_processed", [cluster], totals.processed)
    sheet.put("teraslice_slices_failed", [cluster], totals.failed)
    sheet.put("teraslice_slices_queued", [cluster], snapshot.queued)
    sheet.put("teraslice_workers_joined", [cluster], totals.workers_joined)
    sheet.put("teraslice_workers_disconnected", [cluster], totals.workers_disconnected)
    sheet.put("teraslice_workers_reconnected", [cluster], totals.workers_reconnected)
    sheet.put("teraslice_store_trouble", [cluster], bool(snapshot.trouble))


def _put_cluster(sheet: Sheet, snapshot: Snapshot) -> None:
    cluster = snapshot.about.cluster
    connected = [node for node in snapshot.nodes if node.connected]
    sheet.put("teraslice_worker_slots", [cluster], sum(node.record.slots for node in connected))
    sheet.put("teraslice_worker_slots_available", [cluster], sum(node.available for node in connected))
    sheet.put("teraslice_nodes", [cluster, "connected"], len(connected))
    sheet.put("teraslice_nodes", [cluster, "disconnected"], len(snapshot.nodes) - len(connected))
    statuses = Counter(shown.row.status for shown in snapshot.executions)
    for status in ExecutionStatus:
        if status not in TERMINAL_STATUSES:
            sheet.put("teraslice_executions", [cluster, status.value], statuses[status])


def _put_controller(sheet: Sheet, view: ControllerView, cluster: str) -> None:
    statistics, labels = view.statistics, (cluster, view.ex_id, view.job_id, view.name)
    for kind in ("active", "available", "joined", "reconnected", "disconnected"):
        sheet.put(f"teraslice_controller_workers_{kind}", labels, getattr(statistics, f"workers_{kind}"))
    for kind in ("processed", "failed", "queued"):
        sheet.put(f"teraslice_controller_slices_{kind}", labels, getattr(statistics, kind))
    sheet.put("teraslice_controller_slicers_count", labels, statistics.slicers)


def _put_execution(sheet: Sheet, shown: ExecutionView, about: MasterInfo) -> None:
    row, document = shown.row, orjson.loads(shown.document)
    labels = (about.cluster, row.ex_id, row.job_id, row.name)
    sheet.put("teraslice_execution_info", (*labels, "", about.api_version), 1)
    for status in ExecutionStatus:
        sheet.put("teraslice_execution_status", (*labels, status.value), row.status is status)
    sheet.put("teraslice_execution_created_timestamp_seconds", labels, row.created_ms / 1000)
    sheet.put("teraslice_execution_updated_timestamp_seconds", labels, row.updated_ms / 1000)
    sheet.put("teraslice_execution_slicers", labels, document.get("slicers", 1))
    sheet.put("teraslice_execution_workers", labels, row.wishes.workers)
    for state in ("pending", "start", "completed", "error"):
        sheet.put("teraslice_execution_slices", (*labels, state), getattr(row.counts, state))
    _put_resources(sheet, labels, document)
    _put_operations(sheet, labels, row=row, document=document)
    _put_timings(sheet, labels, shown.timings)


def _put_resources(sheet: Sheet, labels: tuple[str, ...], document: Mapping[str, Any]) -> None:
    for kind, fields in _RESOURCES.items():
        given = [document[field] for field in fields if isinstance(document.get(field), int | float)]
        if given:
            sheet.put(f"teraslice_execution_{kind}", labels, given[0])


def _put_operations(
    sheet: Sheet, labels: tuple[str, ...], *, row: ExecutionRow, document: Mapping[str, Any]
) -> None:
    names = [operation.get("_op", "") for operation in document.get("operations", ())]
    for totals in row.operations:
        name = names[totals.op] if totals.op < len(names) else ""
        where = (*labels, name, str(totals.op))
        sheet.put("teraslice_execution_operation_slices", where, totals.slices)
        sheet.put("teraslice_execution_operation_seconds", where, totals.time_us / 1_000_000)
        sheet.put("teraslice_execution_operation_records_in", where, totals.records_in)
        sheet.put("teraslice_execution_operation_records_out", where, totals.records_out)


def _put_timings(sheet: Sheet, labels: tuple[str, ...], timings: SliceTimings | None) -> None:
    if timings is None:
        return
    sheet.put_histogram(
        "teraslice_execution_slice_run_seconds",
        labels,
        timings.run_us,
        bounds=RUN_BOUNDS_US,
        per_second=1_000_000,
    )
    sheet.put_histogram(
        "teraslice_execution_slice_wait_seconds",
        labels,
        timings.wait_ms,
        bounds=WAIT_BOUNDS_MS,
        per_second=1_000,
    )


def _put_processes(sheet: Sheet, snapshot: Snapshot) -> None:
    own_process(sheet)
    names = {shown.row.ex_id: shown.row.name for shown in snapshot.executions}
    for process in snapshot.processes:
        labels = {
            "name": snapshot.about.cluster,
            "ex_id": process.ex_id,
            "job_id": process.job_id,
            "job_name": names.get(process.ex_id, ""),
        }
        sheet.put_process("teraslice_controller", labels, process.pid)
