"""Slices of executions: lists, counts, errors."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from msgspec import structs

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import FILTER, About, one_of, page
from sliceworks.master.api.latest import latest_execution
from sliceworks.master.api.options import choice, page_of
from sliceworks.master.api.rendering import answer
from sliceworks.master.search.fields import SLICES
from sliceworks.master.store.lists import AS_MADE, SliceList
from sliceworks.protocol.states import SliceState

_STATES: Final[dict[str, SliceState | None]] = {state.name.lower(): state for state in SliceState}


async def list_slices(api: Api, request: web.Request) -> web.Response:
    """Slices of one execution, in one state or in any."""
    ex_id = request.match_info["ex_id"]
    page = page_of(request, SLICES.orders, order=AS_MADE, fields=SLICES)
    state = choice(request.query, "state", _STATES, default=None)
    await api.store.execution(ex_id)
    return answer(await api.history.slices(ex_id, SliceList(page, state)))


async def count_slices(api: Api, request: web.Request) -> web.Response:
    """How many slices of one execution are in each state."""
    ex_id = request.match_info["ex_id"]
    await api.store.execution(ex_id)
    return answer(structs.asdict(await api.history.counts(ex_id)))


async def list_errors(api: Api, request: web.Request) -> web.Response:
    """Slices of one execution that failed."""
    ex_id = request.match_info["ex_id"]
    await api.store.execution(ex_id)
    return await _errors(api, request, [ex_id])


async def list_job_errors(api: Api, request: web.Request) -> web.Response:
    """Slices that failed in any execution of a job."""
    await latest_execution(api, request)
    job_id = request.match_info["job_id"]
    return await _errors(api, request, await api.store.executions_with_errors(job_id))


async def list_all_errors(api: Api, request: web.Request) -> web.Response:
    """Slices that failed in any execution."""
    return await _errors(api, request, await api.store.executions_with_errors())


async def _errors(api: Api, request: web.Request, ex_ids: list[str]) -> web.Response:
    page = page_of(request, SLICES.orders, fields=SLICES)
    return answer(await api.history.errors(ex_ids, page))


_ERRORS: Final = (*page(SLICES.orders, default="_updated:desc"), FILTER)
_SLICES: Final = (
    one_of("state", "only slices in this state", *_STATES),
    *page(SLICES.orders, default="_created:asc"),
    FILTER,
)

ROUTES: Final = (
    Route("GET", "/ex/errors", list_all_errors, About("slices", list[shapes.Slice], _ERRORS)),
    *(
        Route("GET", path, list_errors, About("slices", list[shapes.Slice], _ERRORS, errors=(404,)))
        for path in ("/ex/{ex_id}/errors", "/ex/{job_id}/errors/{ex_id}")
    ),
    Route(
        "GET",
        "/jobs/{job_id}/errors",
        list_job_errors,
        About("slices", list[shapes.Slice], _ERRORS, errors=(404,)),
    ),
    Route(
        "GET", "/ex/{ex_id}/slices", list_slices, About("slices", list[shapes.Slice], _SLICES, errors=(404,))
    ),
    Route(
        "GET", "/ex/{ex_id}/slices/_count", count_slices, About("slices", shapes.SliceCounts, errors=(404,))
    ),
)
