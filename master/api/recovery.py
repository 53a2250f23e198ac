"""Recovering: of the latest execution of a job, or of any execution."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, one_of
from sliceworks.master.api.rendering import answer
from sliceworks.master.commands import Started
from sliceworks.master.recoveries import CLEANUP_TYPES
from sliceworks.protocol.errors import InvalidError


async def recover_job(api: Api, request: web.Request) -> web.Response:
    """Take up what the runs of a job have left, with the job as it is now."""
    cleanup_type = _cleanup_type_of(request)
    return answer(_recovered(await api.commands.recover_job(request.match_info["job_id"], cleanup_type)))


async def recover_execution(api: Api, request: web.Request) -> web.Response:
    """Take up what an execution and its lineage have left, configured as that execution was."""
    cleanup_type = _cleanup_type_of(request)
    return answer(_recovered(await api.commands.recover_execution(request.match_info["ex_id"], cleanup_type)))


def _cleanup_type_of(request: web.Request) -> str | None:
    """Under either of its names; empty counts as none."""
    given = request.query.get("cleanup_type") or request.query.get("cleanup")
    if given and given not in CLEANUP_TYPES:
        message = f"cleanup_type must be empty or set to {', '.join(CLEANUP_TYPES)}"
        raise InvalidError(message)
    return given or None


def _recovered(started: Started) -> dict[str, str | None]:
    return {"job_id": started.job_id, "ex_id": started.ex_id}


_OPTIONS: Final = (
    one_of(
        "cleanup_type", "which slices to take up, and end then; none: all, and go on slicing", *CLEANUP_TYPES
    ),
    one_of("cleanup", "the same", *CLEANUP_TYPES),
)

ROUTES: Final = (
    Route(
        "POST",
        "/jobs/{job_id}/_recover",
        recover_job,
        About("jobs", shapes.Started, _OPTIONS, errors=(404, 409, 410)),
    ),
    Route(
        "POST",
        "/ex/{ex_id}/_recover",
        recover_execution,
        About("executions", shapes.Started, _OPTIONS, errors=(404, 409, 410)),
    ),
)
