"""Changing and deleting stored jobs.

An execution is a copy of its job, so neither touches what runs.  What the store knows better, it decides: a
change of a job that was deleted, or changed by somebody else, is refused there, in one transaction with it.
"""

from __future__ import annotations

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.core import Core
from sliceworks.master.store.records import DeleteJob, SaveJob
from sliceworks.protocol.errors import ConflictError


def save_job(core: Core, event: ev.JobSaveRequested) -> None:
    """Replace a job's document; it counts from the next start on."""
    core.change_job(SaveJob(event.job, event.replaces_ms))
    core.after_save(ef.Answer(event.request, ef.Done()))


def delete_job(core: Core, event: ev.JobDeleteRequested) -> None:
    """Delete a job and the executions it had; not while one of them lives."""
    if event.job_id in core.living:
        message = f"Job {event.job_id} is currently running, cannot delete a running job."
        core.emit(ef.Reject(event.request, ConflictError(message)))
        return
    core.change_job(DeleteJob(event.job_id, core.now.wall_ms))
    core.after_save(ef.Answer(event.request, ef.Done()))
