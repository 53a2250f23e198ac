"""Jobs: what is to be run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sliceworks.cli.client.documents import Execution, Job, Started, read
from sliceworks.cli.client.paging import Pages
from sliceworks.cli.client.steering import Steering
from sliceworks.cli.client.transport import Content, Transport, path_of

Posted = Mapping[str, Any] | bytes
"""A job, or its JSON text."""


class Jobs(Steering):
    """Stored jobs; the verbs act on the latest execution of one."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "jobs")

    async def submit(self, job: Posted, *, start: bool = True) -> Started:
        """Store a job, and start it; InvalidError lists all that is wrong with it."""
        answer = await self._transport.send("POST", "/jobs", {"start": start}, content=_content(job))
        return read(Started, answer.body)

    def list(
        self, *, active: bool | None = None, deleted: bool | None = None, ex: str | None = None
    ) -> Pages[Job]:
        """Stored jobs.

        `active`: only those that are, or are not; `deleted`: only those that are; `ex`: with these fields (by
        comma) of the latest execution of each, as `ex` of the document.
        """
        return Pages(self._transport, "/jobs", Job, key="job_id", active=active, deleted=deleted, ex=ex)

    async def get(self, job_id: str, *, ex: str | None = None) -> Job:
        """One job, also a deleted one; `ex` as for `list`."""
        return read(Job, await self._transport.get(path_of("jobs", job_id), ex=ex))

    async def update(self, job_id: str, job: Posted) -> Job:
        """Put another document in its place; the next start takes it, what runs goes on."""
        path = path_of("jobs", job_id)
        return read(Job, (await self._transport.send("PUT", path, content=_content(job))).body)

    async def delete(self, job_id: str) -> Job:
        """Delete a job and its executions, for good; ConflictError while it runs."""
        return read(Job, (await self._transport.send("DELETE", path_of("jobs", job_id))).body)

    async def start(self, job_id: str) -> Started:
        """Run it anew; ConflictError while it runs."""
        return read(Started, await self._transport.post(self._path(job_id, "_start")))

    async def activate(self, job_id: str) -> Job:
        """Mark it active."""
        return read(Job, await self._transport.post(self._path(job_id, "_active")))

    async def deactivate(self, job_id: str) -> Job:
        """Mark it inactive."""
        return read(Job, await self._transport.post(self._path(job_id, "_inactive")))

    async def latest_execution(self, job_id: str) -> Execution:
        """Its newest execution; NotFoundError if it never ran."""
        return read(Execution, await self._transport.get(path_of("jobs", job_id, "ex")))


def _content(job: Posted) -> Content:
    return Content(job if isinstance(job, bytes) else orjson.dumps(job))
