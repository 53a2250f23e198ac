"""What the API can ask for, as functions that answer when it is durable.

New ids are drawn here, and jobs checked here, in a child; what comes of a request is decided by the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import orjson

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.reactor import Replies
from sliceworks.master.recoveries import RECOVERED, Recoveries, Recovery, config_of
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.records import AssetRecord, JobRecord, StoredExecution
from sliceworks.protocol.actor import MailboxClosed, MailboxFull
from sliceworks.protocol.clock import Clock
from sliceworks.protocol.errors import (
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
    UnprocessableError,
)
from sliceworks.protocol.ids import new_id
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus

R = TypeVar("R", bound=ef.Reply)

API_VERSION: Final = "v3.18.0"
"""Of the API that is spoken."""

_OURS: Final = frozenset({"job_id", "_context", "_created", "_updated", "_deleted", "_deleted_on"})
"""What a document that was read carries beside what was posted; a client may send it back."""


MAX_JOB_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Started:
    """A job that is stored, and its execution, if it was started."""

    job_id: str
    ex_id: str | None = None


@dataclass(frozen=True, slots=True)
class StopOptions:
    """How an execution is to be stopped; times in milliseconds."""

    grace_ms: int
    blocking: bool = True


class Commands:
    """The verbs."""

    def __init__(
        self,
        store: ClusterStore,
        replies: Replies,
        *,
        tell: Callable[[ev.Event], None],
        validate: Callable[[bytes], Awaitable[dict[str, Any]]],
        recoveries: Recoveries,
        clock: Clock,
        timeout_ms: int,
        answer_margin_ms: int,
    ) -> None:
        self._store = store
        self._replies = replies
        self._tell = tell
        self._validate = validate
        self._recoveries = recoveries
        self._clock = clock
        self._timeout_ms = timeout_ms
        self._answer_margin_ms = answer_margin_ms

    async def submit(self, posted: dict[str, Any], *, start: bool) -> Started:
        """Check and store a job, and run it; InvalidError with all faults."""
        if not posted.get("operations") and "operations" not in posted:
            message = "No job was posted"
            raise InvalidError(message)
        if "job_id" in posted:
            message = "Job cannot include a job_id on submit"
            raise UnprocessableError(message)
        document = orjson.dumps(posted)
        _check_size(document)
        validated = await self._validate(document)
        now_ms = self._clock.wall_ms()
        job = JobRecord(new_id(), validated["name"], document, created_ms=now_ms, updated_ms=now_ms)
        return await self._start(validated, job.job_id, job=job, run=start)

    async def update(self, job_id: str, posted: dict[str, Any]) -> JobRecord:
        """Replace a stored job, whole; InvalidError with all faults.  What runs is not touched.

        A job that is switched to inactive is not checked, so that a broken one can be put away.
        """
        if not posted:
            message = f"no data was provided to update job {job_id}"
            raise InvalidError(message)
        stored = await self._usable_job(job_id, "updated")
        was_active = orjson.loads(stored.document).get("active") is not False
        checked = not was_active or posted.get("active") is not False
        return await self._replace(
            stored, {key: posted[key] for key in posted if key not in _OURS}, checked=checked
        )

    async def set_active(self, job_id: str, *, active: bool) -> JobRecord:
        """Say whether a job is one to look after; what runs is not touched."""
        stored = await self._usable_job(job_id, "updated")
        document = orjson.loads(stored.document)
        return await self._replace(stored, {**document, "active": active}, checked=active)

    async def delete(self, job_id: str) -> JobRecord:
        """Delete a job and its executions from all lists; ConflictError while it runs."""
        stored = await self._store.job(job_id)
        if stored.deleted_ms is not None:
            message = f"Job {job_id} has already been deleted."
            raise GoneError(message)
        await self._ask(lambda request: ev.JobDeleteRequested(request, job_id), ef.Done)
        return await self._store.job(job_id)

    async def start(self, job_id: str) -> Started:
        """Run a stored job anew, or recover it if it is one that does so; ConflictError while it runs."""
        job = await self._usable_job(job_id, "started")
        validated = await self._validate(job.document)
        async with self._recoveries.alone(job_id):
            latest = await self._recoveries.latest(job_id) if validated["autorecover"] else None
            if latest is not None:
                return await self._recover(latest, validated, "pending")
            return await self._start(validated, job_id, job=None, run=True)

    async def recover_job(self, job_id: str, cleanup_type: str | None) -> Started:
        """Recover the latest execution of a job, as the job is now; ConflictError while it runs."""
        job = await self._usable_job(job_id, "recovered")
        validated = await self._validate(job.document)
        async with self._recoveries.alone(job_id):
            latest = await self._recoveries.latest(job_id)
            if latest is not None:
                return await self._recover(latest, validated, cleanup_type)
            if validated["autorecover"]:
                return await self._start(validated, job_id, job=None, run=True)
            message = f"Job {job_id} is missing an execution to recover from"
            raise NotFoundError(message)

    async def recover_execution(self, ex_id: str, cleanup_type: str | None) -> Started:
        """Recover any execution, as it was started; ConflictError while its job runs."""
        stored = await self._store.execution(ex_id)
        job_id = stored.row.job_id
        if stored.deleted_ms is not None:
            message = f"Job {job_id} has been deleted and cannot be recovered."
            raise GoneError(message)
        async with self._recoveries.alone(job_id):
            await self._recoveries.latest(job_id)
            return await self._recover(stored, config_of(stored), cleanup_type)

    async def stop(self, ex_id: str, options: StopOptions) -> ExecutionStatus:
        """End an execution; its status then, or `stopping` if it takes longer than the time allowed."""
        stored = await self._store.execution(ex_id)
        if stored.row.status in TERMINAL_STATUSES:
            return stored.row.status
        wait_ms = options.grace_ms + self._answer_margin_ms if options.blocking else None
        try:
            reply = await self._ask(
                lambda request: ev.StopRequested(request, ex_id, options.grace_ms, wait_ms),
                ef.StatusIs,
                patience_ms=self._timeout_ms + (wait_ms or 0),
            )
        except ConflictError:  # it ended between the two looks
            return (await self._store.execution(ex_id)).row.status
        return reply.status

    async def pause(self, ex_id: str) -> ExecutionStatus:
        """Pause an execution."""
        return (await self._ask(lambda request: ev.PauseRequested(request, ex_id), ef.StatusIs)).status

    async def resume(self, ex_id: str) -> ExecutionStatus:
        """Resume an execution."""
        return (await self._ask(lambda request: ev.ResumeRequested(request, ex_id), ef.StatusIs)).status

    async def change_workers(self, ex_id: str, change: ev.WorkersChange) -> None:
        """Change the number of workers wanted."""
        await self._ask(lambda request: ev.WorkersRequested(request, ex_id, change), ef.Done)

    async def change_log_level(self, ex_id: str, level: str) -> None:
        """Log from this level on, in every process of an execution."""
        await self._ask(lambda request: ev.LogLevelRequested(request, ex_id, level), ef.Done)

    async def drain_node(self, node_id: str) -> None:
        """Take a node out of service; its workers end after the slice in hand."""
        await self._ask(lambda request: ev.DrainRequested(request, node_id), ef.Done)

    async def resume_node(self, node_id: str) -> None:
        """Take a drained node back into service."""
        await self._ask(lambda request: ev.ReturnRequested(request, node_id), ef.Done)

    async def add_asset(self, asset: AssetRecord) -> None:
        """List an asset whose files are in place; ConflictError if another one has its name and version."""
        await self._ask(lambda request: ev.AssetAddRequested(request, asset), ef.Done)

    async def delete_asset(self, asset_id: str) -> None:
        """List an asset no more; what runs keeps it.  NotFoundError."""
        await self._ask(lambda request: ev.AssetDeleteRequested(request, asset_id), ef.Done)

    async def _usable_job(self, job_id: str, verb: str) -> JobRecord:
        stored = await self._store.job(job_id)
        if stored.deleted_ms is not None:
            message = f"Job {job_id} has been deleted and cannot be {verb}."
            raise GoneError(message)
        return stored

    async def _replace(self, stored: JobRecord, posted: dict[str, Any], *, checked: bool) -> JobRecord:
        document = orjson.dumps(posted)
        _check_size(document)
        name = (await self._validate(document))["name"] if checked else str(posted.get("name") or stored.name)
        updated_ms = max(self._clock.wall_ms(), stored.updated_ms + 1)
        job = replace(stored, name=name, document=document, updated_ms=updated_ms)
        await self._ask(lambda request: ev.JobSaveRequested(request, job, stored.updated_ms), ef.Done)
        return job

    async def _recover(
        self, recovered: StoredExecution, config: dict[str, Any], cleanup_type: str | None
    ) -> Started:
        recovery = await self._recoveries.prepare(recovered, config, cleanup_type)
        return await self._start(recovery.config, recovered.row.job_id, job=None, run=True, recovery=recovery)

    async def _start(
        self,
        validated: dict[str, Any],
        job_id: str,
        *,
        job: JobRecord | None,
        run: bool,
        recovery: Recovery | None = None,
    ) -> Started:
        ex_id = new_id() if run else ""
        document = execution_document(validated, job_id, ex_id, recovery=recovery)
        await self._ask(
            lambda request: ev.StartRequested(
                request,
                job_id,
                job,
                ex_id=ex_id,
                name=validated["name"],
                workers=validated["workers"],
                log_level=validated.get("log_level") or "",
                document=document,
                lineage=recovery.lineage if recovery else "",
            ),
            ef.Done,
        )
        return Started(job_id, ex_id or None)

    async def _ask(
        self, event: Callable[[int], ev.Event], kind: type[R], *, patience_ms: int | None = None
    ) -> R:
        """Hand the machine a request and wait; UnavailableError if it cannot be made durable in time."""
        if trouble := self._store.trouble:
            message = f"nothing can be changed now: the state store cannot be written: {trouble}"
            raise UnavailableError(message)
        request, reply = self._replies.expect()
        try:
            self._tell(event(request))
            async with asyncio.timeout((patience_ms or self._timeout_ms) / 1000):
                answer = await reply
        except TimeoutError as error:
            message = "the master did not get it done in time; what was asked may still happen"
            raise UnavailableError(message) from error
        except (MailboxClosed, MailboxFull) as error:
            message = "the master is shutting down or overloaded: ask again"
            raise UnavailableError(message) from error
        finally:
            self._replies.forget(request)
        if not isinstance(answer, kind):
            raise TypeError(type(answer))
        return answer


def _check_size(document: bytes) -> None:
    """Every list, every controller and every worker holds documents whole."""
    if len(document) > MAX_JOB_BYTES:
        message = (
            f"the job has {len(document)} bytes, at most {MAX_JOB_BYTES} are taken: "
            "put large options into a file or an asset"
        )
        raise TooLargeError(message)


def execution_document(
    validated: dict[str, Any], job_id: str, ex_id: str, *, recovery: Recovery | None = None
) -> bytes:
    """The document that controllers and workers are started with; it never changes."""
    config = {key: value for key, value in validated.items() if key not in RECOVERED}
    own = {"ex_id": ex_id, "job_id": job_id, "metadata": {}, "_context": "ex"}
    return orjson.dumps({**config, **own, **(recovery.fields if recovery else {})})
