"""The lists as tables of text, for people and shell scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from aiohttp import web

from sliceworks.master.api.cluster import cluster_state
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, Option, page, text
from sliceworks.master.api.executions import LIST_OPTIONS as EXECUTION_OPTIONS
from sliceworks.master.api.executions import find_executions
from sliceworks.master.api.jobs import LIST_OPTIONS as JOB_OPTIONS
from sliceworks.master.api.jobs import find_jobs
from sliceworks.master.api.options import deleted_only, page_of
from sliceworks.master.api.rendering import controller_json, job_json
from sliceworks.master.api.tables import MISSING, columns_of, table
from sliceworks.master.store.records import Order

Rows: TypeAlias = Sequence[Mapping[str, Any]]

WORKER_COLUMNS: Final = ("assignment", "job_id", "ex_id", "node_id", "pid")
NODE_COLUMNS: Final = (
    "node_id",
    "state",
    "hostname",
    "total",
    "active",
    "pid",
    "teraslice_version",
    "node_version",
)
JOB_COLUMNS: Final = ("job_id", "name", "active", "lifecycle", "slicers", "workers", "_created", "_updated")
EXECUTION_COLUMNS: Final = (
    "name",
    "lifecycle",
    "slicers",
    "workers",
    "_status",
    "ex_id",
    "job_id",
    "_created",
    "_updated",
)
CONTROLLER_COLUMNS: Final = (
    "name",
    "job_id",
    "workers_available",
    "workers_active",
    "failed",
    "queued",
    "processed",
)
DELETED_COLUMNS: Final = ("_deleted_on",)


async def list_workers(api: Api, request: web.Request) -> web.Response:
    """Every process of the cluster."""
    nodes = cluster_state(api).values()
    rows = [{**process, "node_id": node["node_id"]} for node in nodes for process in node["active"]]
    return tabulated(request, WORKER_COLUMNS, _cut(request, rows, WORKER_COLUMNS))


async def list_nodes(api: Api, request: web.Request) -> web.Response:
    """Every node; `active` counts its processes."""
    rows = [{**node, "active": len(node["active"])} for node in cluster_state(api).values()]
    return tabulated(request, NODE_COLUMNS, _cut(request, rows, NODE_COLUMNS))


async def list_controllers(api: Api, request: web.Request) -> web.Response:
    """Every connected controller."""
    rows = [controller_json(view) for view in api.view.controllers()]
    return tabulated(request, CONTROLLER_COLUMNS, _cut(request, rows, CONTROLLER_COLUMNS))


async def list_jobs(api: Api, request: web.Request) -> web.Response:
    """Jobs, with the options of their list."""
    rows = [job_json(job) for job in await find_jobs(api, request)]
    return tabulated(request, _with_deletion(request, JOB_COLUMNS), rows)


async def list_executions(api: Api, request: web.Request) -> web.Response:
    """Executions, with the options of their list."""
    return tabulated(request, _with_deletion(request, EXECUTION_COLUMNS), await find_executions(api, request))


def tabulated(
    request: web.Request, default: Sequence[str], rows: Rows, *, missing: str = MISSING
) -> web.Response:
    """The rows, as `fields` and `headers` of the request want them shown."""
    query = request.query
    columns = columns_of(query.get("fields", ""), default)
    shown = table(columns, rows, missing=missing, headers=query.get("headers") != "false")
    return web.Response(text=shown, content_type="text/html", charset="utf-8")


def _with_deletion(request: web.Request, columns: tuple[str, ...]) -> tuple[str, ...]:
    return (*columns, *DELETED_COLUMNS) if deleted_only(request.query) else columns


def _cut(request: web.Request, rows: Rows, sortable: Sequence[str]) -> Rows:
    """What is in memory is cut as Teraslice does it: `size` is where it ends, not how many there are."""
    wanted = page_of(request, sortable, order=())
    ordered = list(rows)
    for order in reversed(wanted.order):
        ordered.sort(key=lambda row: _rank(row, order), reverse=order.descending)
    return ordered[wanted.offset : wanted.size]


def _rank(row: Mapping[str, Any], order: Order) -> tuple[bool, str, Any]:
    """Values of one type are compared; no value is the least."""
    value = row.get(order.field)
    return value is not None, type(value).__name__, value if value is not None else 0


def table_of(*options: Option) -> About:
    """A table that has these options besides those of every table."""
    return About("tables", str, (*options, *TABLE_OPTIONS), media="text/html")


TABLE_OPTIONS: Final = (
    text("fields", "the columns, a list, parted by commas"),
    text("headers", "`false`: only the rows"),
)
_CONTROLLERS: Final = table_of(*page(CONTROLLER_COLUMNS))

ROUTES: Final = (
    Route("GET", "/txt/workers", list_workers, table_of(*page(WORKER_COLUMNS))),
    Route("GET", "/txt/nodes", list_nodes, table_of(*page(NODE_COLUMNS))),
    Route("GET", "/txt/jobs", list_jobs, table_of(*JOB_OPTIONS)),
    Route("GET", "/txt/ex", list_executions, table_of(*EXECUTION_OPTIONS)),
    Route("GET", "/txt/controllers", list_controllers, _CONTROLLERS),
    Route("GET", "/txt/slicers", list_controllers, _CONTROLLERS),
)
