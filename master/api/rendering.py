"""How documents look in answers.  Everything that a client sees has its shape from here."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any, Final

import orjson
from aiohttp import web
from msgspec import structs

from sliceworks.master.cluster.view import ControllerView, NodeView, ProcessView
from sliceworks.master.commands import API_VERSION
from sliceworks.master.store.records import ExecutionRow, JobRecord, StoredExecution, Totals
from sliceworks.protocol.messages import OperationTotals, Statistics
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus
from sliceworks.protocol.timestamps import iso_from_ms

Json = dict[str, Any]  # on its way out

PYTHON_VERSION: Final = f"v{platform.python_version()}"
_ARCHITECTURES: Final = {"x86_64": "x64", "aarch64": "arm64"}
_DELETION: Final = ("_deleted", "_deleted_on")  # ours to say, whatever was posted
_OTHER_SPELLINGS: Final = {
    "available_workers": "workers_available",
    "active_workers": "workers_active",
    "joined_workers": "workers_joined",
    "reconnected_workers": "workers_reconnected",
    "disconnected_workers": "workers_disconnected",
}
_METRICS: Final = (
    "slices_processed",
    "slices_failed",
    "slices_queued",
    "workers_joined",
    "workers_disconnected",
    "workers_reconnected",
)


def answer(value: object, *, status: int = 200) -> web.Response:
    """Any value as JSON."""
    body = orjson.dumps(
        value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


def architecture() -> str:
    """Of this machine, as Node.js names it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def job_json(job: JobRecord) -> Json:
    """A job: as posted, with its identity."""
    deleted = _deleted_json(job.deleted_ms)
    posted: Json = orjson.loads(job.document)
    return {
        **{name: value for name, value in posted.items() if name not in _DELETION},
        "job_id": job.job_id,
        "_context": "job",
        "_created": iso_from_ms(job.created_ms),
        "_updated": iso_from_ms(job.updated_ms),
        **deleted,
        **({"active": False} if deleted else {}),
    }


def execution_json(
    stored: StoredExecution, hostname: str, *, trouble: str = "", live: Statistics | None = None
) -> Json:
    """An execution: its document, and what became of it; `live` is what its controller counts now.

    While the store is in `trouble`, what it has of a living execution is not the newest, and the trouble is
    what that waits for.
    """
    row = stored.row
    statistics = live or (row.statistics if _has_statistics(row) else None)
    waits_for_store = trouble and row.status not in TERMINAL_STATUSES
    document: Json = orjson.loads(stored.document)
    where = {"slicer_hostname": hostname, "slicer_port": row.port} if row.port else {}
    return {
        **document,
        "workers": row.wishes.workers,
        "_created": iso_from_ms(row.created_ms),
        "_updated": iso_from_ms(row.updated_ms),
        "_status": row.status,
        "_status_reason": f"the state store cannot be written: {trouble}" if waits_for_store else row.reason,
        "_has_errors": row.has_errors,
        "_failureReason": row.failure,
        "_slicer_stats": statistics_json(statistics) if statistics else {},
        "_analytics": [_totals_json(totals, document) for totals in row.operations],
        "teraslice_version": API_VERSION,
        **where,
        **_deleted_json(stored.deleted_ms),
    }


def statistics_json(statistics: Statistics) -> Json:
    """Counters as they are stored; times that are not reached are left out."""
    counters = structs.asdict(statistics)
    return {name: value for name, value in counters.items() if value != ""}


def controller_json(view: ControllerView) -> Json:
    """A controller, with both spellings of its counters."""
    counters = statistics_json(view.statistics)
    spellings = {other: counters[name] for other, name in _OTHER_SPELLINGS.items()}
    return {"ex_id": view.ex_id, "job_id": view.job_id, "name": view.name, **counters, **spellings}


def master_json(name: str, *, hostname: str, pid: int, controllers: Sequence[ProcessView]) -> Json:
    """The entry of the master's host; it has no slots."""
    active = [{"worker_id": pid, "assignment": "cluster_master", "pid": pid}]
    active += [
        {
            "worker_id": process.pid,
            "assignment": "execution_controller",
            "pid": process.pid,
            "ex_id": process.ex_id,
            "job_id": process.job_id,
        }
        for process in controllers
    ]
    return {
        "node_id": name,
        "hostname": hostname,
        "pid": pid,
        "node_version": PYTHON_VERSION,
        "teraslice_version": API_VERSION.removeprefix("v"),
        "total": 0,
        "state": "connected",
        "available": 0,
        "active": active,
    }


def node_json(node: NodeView) -> Json:
    """The entry of a worker daemon."""
    record = node.record
    return {
        "node_id": record.node_id,
        "hostname": record.hostname,
        "pid": record.pid,
        "node_version": f"v{record.python_version.removeprefix('v')}",
        "teraslice_version": API_VERSION.removeprefix("v"),
        "sliceworks_version": record.sliceworks_version,
        "total": record.slots,
        "state": "connected" if node.connected else "disconnected",
        "draining": node.draining,
        "available": node.available,
        "active": [
            {
                "worker_id": worker.info.worker_id,
                "assignment": "worker",
                "pid": worker.info.pid,
                "ex_id": worker.info.ex_id,
                "job_id": worker.job_id,
                "assets": list(worker.assets),
                "state": worker.info.state,
            }
            for worker in node.workers
            if worker.info.pid  # or it is being forked
        ],
        "links": [{"ex_id": link.ex_id, "connected": link.connected} for link in node.links],
    }


def stats_json(totals: Totals, queued: int) -> Json:
    """The cluster's sums, under both names."""
    sums = {
        "processed": totals.processed,
        "failed": totals.failed,
        "queued": queued,
        "job_duration": totals.job_duration,
        "workers_joined": totals.workers_joined,
        "workers_disconnected": totals.workers_disconnected,
        "workers_reconnected": totals.workers_reconnected,
    }
    return {"controllers": sums, "slicer": sums}


def stats_metrics(totals: Totals, queued: int, cluster: str) -> web.Response:
    """The cluster's sums for a Prometheus scraper."""
    label = cluster.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    values = {
        "slices_processed": totals.processed,
        "slices_failed": totals.failed,
        "slices_queued": queued,
        "workers_joined": totals.workers_joined,
        "workers_disconnected": totals.workers_disconnected,
        "workers_reconnected": totals.workers_reconnected,
    }
    lines = [
        f'# TYPE teraslice_{name} counter\nteraslice_{name}{{cluster="{label}"}} {values[name]}\n'
        for name in _METRICS
    ]
    return web.Response(
        body="".join([*lines, "# EOF\n"]).encode(),
        headers={"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"},
    )


def _deleted_json(deleted_ms: int | None) -> Json:
    return {} if deleted_ms is None else {"_deleted": True, "_deleted_on": iso_from_ms(deleted_ms)}


def _has_statistics(row: ExecutionRow) -> bool:
    """They are written when an execution fails or ends; one that never started has none."""
    return row.generation > 0 and (row.status in TERMINAL_STATUSES or row.status is ExecutionStatus.FAILING)


def _totals_json(totals: OperationTotals, document: Json) -> Json:
    operations = document.get("operations", [])
    name = operations[totals.op]["_op"] if totals.op < len(operations) else str(totals.op)
    return {**structs.asdict(totals), "op": name}
