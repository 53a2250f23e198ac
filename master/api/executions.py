"""Executions: read them, and the controllers that run them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import DELETED, FILTER, About, page, some_of
from sliceworks.master.api.latest import ex_id_of
from sliceworks.master.api.options import deleted_only, page_of
from sliceworks.master.api.rendering import Json, answer, controller_json
from sliceworks.master.api.showing import shown_execution
from sliceworks.master.search.fields import EXECUTIONS
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.states import ExecutionStatus


async def list_executions(api: Api, request: web.Request) -> web.Response:
    """Executions, of all statuses or of some."""
    return answer(await find_executions(api, request))


async def find_executions(api: Api, request: web.Request) -> list[Json]:
    """Those that the options of a list ask for."""
    page = page_of(request, EXECUTIONS.orders, fields=EXECUTIONS)
    executions = await api.store.executions(
        page, statuses=_statuses_of(request), deleted=deleted_only(request.query)
    )
    return [shown_execution(api, stored) for stored in executions]


async def get_execution(api: Api, request: web.Request) -> web.Response:
    """One execution."""
    stored = await api.store.execution(request.match_info["ex_id"])
    return answer(shown_execution(api, stored))


async def get_controller(api: Api, request: web.Request) -> web.Response:
    """The controller of one execution, in a list."""
    ex_id = await ex_id_of(api, request)
    view = api.view.controller(ex_id)
    if view is None:
        message = f"Could not find active slicer for ex_id: {ex_id}"
        raise NotFoundError(message)
    return answer([controller_json(view)])


def _statuses_of(request: web.Request) -> list[ExecutionStatus] | None:
    """None: all.  A status that does not exist is one that no execution has."""
    names = [name.strip() for name in request.query.get("status", "").split(",") if name.strip()]
    if not names or "*" in names:
        return None
    return [ExecutionStatus(name) for name in names if name in set(ExecutionStatus)]


LIST_OPTIONS: Final = (
    some_of("status", "only these; `*` or nothing: all", ExecutionStatus),
    DELETED,
    *page(EXECUTIONS.orders, default="_updated:desc"),
    FILTER,
)
_CONTROLLER: Final = About("executions", list[shapes.ControllerStats], errors=(404,))

ROUTES: Final = (
    Route("GET", "/ex", list_executions, About("executions", list[shapes.Execution], LIST_OPTIONS)),
    Route("GET", "/ex/{ex_id}", get_execution, About("executions", shapes.Execution, errors=(404,))),
    *(
        Route("GET", path, get_controller, _CONTROLLER)
        for path in (
            "/ex/{ex_id}/controller",
            "/ex/{ex_id}/slicer",
            "/jobs/{job_id}/controller",
            "/jobs/{job_id}/slicer",
        )
    ),
)
