"""Which execution a request is about: the one it names, or the latest one of the job it names."""

from __future__ import annotations

from aiohttp import web

from sliceworks.master.api.context import Api
from sliceworks.master.store.records import StoredExecution
from sliceworks.protocol.errors import NotFoundError


async def latest_execution(api: Api, request: web.Request) -> StoredExecution:
    """The latest execution of the job in the path; NotFoundError if it never ran, or there is no such job."""
    job_id = request.match_info["job_id"]
    latest = await api.store.latest_executions([job_id])
    if job_id not in latest:
        await api.store.job(job_id)
        message = f"No execution was found for job {job_id}"
        raise NotFoundError(message)
    return latest[job_id]


async def ex_id_of(api: Api, request: web.Request) -> str:
    """The execution in the path, or the latest one of the job in the path; NotFoundError if there is none."""
    named = request.match_info.get("ex_id")
    stored = await (latest_execution(api, request) if named is None else api.store.execution(named))
    return stored.row.ex_id
