"""Which execution a request is about: the one it names, or the latest one of the job it names."""

from __future__ import annotations

from aiohttp import web

from sliceworks.master.api.context import Api
from sliceworks.master.store.records import StoredExecution
from sliceworks.protocol.errors import NotFoundError


async def latest_execution(api: Api, request: web.Request) -> StoredExecution:
    """The latest execution of the job in the path; NotFoundError if it never ran."""
    job_id = request.match_info["job_id"]
    latest = await api.store.latest_executions([job_id])
    if job_id not in latest:
        message = f"No execution was found for job {job_id}"
        raise NotFoundError(message)
    return latest[job_id]


async def ex_id_of(api: Api, request: web.Request) -> str:
    """The execution in the path, or the latest one of the job in the path; it need not exist."""
    named = request.match_info.get("ex_id")
    return named if named is not None else (await latest_execution(api, request)).row.ex_id
