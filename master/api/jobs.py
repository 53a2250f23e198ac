"""Jobs: submit, read, change, delete, start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import DELETED, FILTER, About, page, text
from sliceworks.master.api.latest import latest_execution
from sliceworks.master.api.options import deleted_only, page_of, read_object
from sliceworks.master.api.rendering import Json, answer, job_json
from sliceworks.master.api.showing import shown_execution, shown_fields
from sliceworks.master.commands import Started
from sliceworks.master.search.fields import JOBS
from sliceworks.master.store.records import JobRecord

_ACTIVE: Final[dict[str, bool | None]] = {"true": True, "false": False}


async def submit_job(api: Api, request: web.Request) -> web.Response:
    """Store a job, and run it unless told not to."""
    posted = await read_object(request)
    started = await api.commands.submit(posted, start=request.query.get("start") != "false")
    return answer(_started_json(started))


async def list_jobs(api: Api, request: web.Request) -> web.Response:
    """Jobs, each with its latest execution if `ex` is given."""
    return answer(await _with_executions(api, request, await find_jobs(api, request)))


async def find_jobs(api: Api, request: web.Request) -> list[JobRecord]:
    """Those that the options of a list ask for; an `active` that is neither true nor false means all."""
    page = page_of(request, JOBS.orders, fields=JOBS)
    active = _ACTIVE.get(request.query.get("active", ""))
    return await api.store.jobs(page, active=active, deleted=deleted_only(request.query))


async def get_job(api: Api, request: web.Request) -> web.Response:
    """One job."""
    job = await api.store.job(request.match_info["job_id"])
    return answer((await _with_executions(api, request, [job]))[0])


async def get_latest_execution(api: Api, request: web.Request) -> web.Response:
    """The latest execution of a job."""
    stored = await latest_execution(api, request)
    return answer(shown_execution(api, stored))


async def update_job(api: Api, request: web.Request) -> web.Response:
    """Replace a job, whole; it counts from the next start on."""
    posted = await read_object(request)
    return answer(job_json(await api.commands.update(request.match_info["job_id"], posted)))


async def delete_job(api: Api, request: web.Request) -> web.Response:
    """Delete a job that does not run, and its executions; they stay readable by their ids."""
    return answer(job_json(await api.commands.delete(request.match_info["job_id"])))


async def activate_job(api: Api, request: web.Request) -> web.Response:
    """Mark a job as active."""
    return answer(job_json(await api.commands.set_active(request.match_info["job_id"], active=True)))


async def deactivate_job(api: Api, request: web.Request) -> web.Response:
    """Mark a job as inactive; what runs of it is not touched."""
    return answer(job_json(await api.commands.set_active(request.match_info["job_id"], active=False)))


async def start_job(api: Api, request: web.Request) -> web.Response:
    """Run a job anew."""
    return answer(_started_json(await api.commands.start(request.match_info["job_id"])))


async def _with_executions(api: Api, request: web.Request, jobs: Sequence[JobRecord]) -> list[Json]:
    fields = request.query.get("ex")
    if fields is None:
        return [job_json(job) for job in jobs]
    latest = await api.store.latest_executions([job.job_id for job in jobs])
    executions = {job_id: shown_fields(api, stored, fields) for job_id, stored in latest.items()}
    return [{**job_json(job), "ex": executions.get(job.job_id, {})} for job in jobs]


def _started_json(started: Started) -> dict[str, str]:
    return {"job_id": started.job_id} | ({"ex_id": started.ex_id} if started.ex_id else {})


LIST_OPTIONS: Final = (
    text("active", "`false`: only inactive jobs, `true`: only the others, anything else: all"),
    DELETED,
    *page(JOBS.orders, default="_updated:desc"),
    FILTER,
)
_EX: Final = text(
    "ex", "add the latest execution, cut to these fields (a list, parted by commas; empty: all)"
)
_START: Final = text("start", "`false`: store it only; anything else starts it")
_CHANGED: Final = About("jobs", shapes.JobAsPosted, errors=(400, 404, 409, 410))

ROUTES: Final = (
    Route(
        "POST",
        "/jobs",
        submit_job,
        About("jobs", shapes.Started, (_START,), body=shapes.JobDocument, errors=(409, 422)),
    ),
    Route("GET", "/jobs", list_jobs, About("jobs", list[shapes.JobAsPosted], (*LIST_OPTIONS, _EX))),
    Route("GET", "/jobs/{job_id}", get_job, About("jobs", shapes.JobAsPosted, (_EX,), errors=(404,))),
    Route(
        "PUT",
        "/jobs/{job_id}",
        update_job,
        About(
            "jobs",
            shapes.JobAsPosted,
            body=shapes.JobDocument | shapes.InactiveDocument,
            errors=(404, 409, 410),
        ),
    ),
    Route(
        "DELETE",
        "/jobs/{job_id}",
        delete_job,
        About("jobs", shapes.JobAsPosted, errors=(404, 409, 410)),
    ),
    Route("GET", "/jobs/{job_id}/ex", get_latest_execution, About("jobs", shapes.Execution, errors=(404,))),
    Route("POST", "/jobs/{job_id}/_active", activate_job, _CHANGED),
    Route("POST", "/jobs/{job_id}/_inactive", deactivate_job, _CHANGED),
    Route(
        "POST",
        "/jobs/{job_id}/_start",
        start_job,
        About("jobs", shapes.Started, errors=(400, 404, 409, 410)),
    ),
)
