"""What a cluster store says when a change contradicts what it has: the same texts on every engine."""

from __future__ import annotations

from sliceworks.protocol.errors import ConflictError, GoneError


def job_deleted(job_id: str, verdict: str) -> GoneError:
    """The job was deleted; `verdict` says what comes of that."""
    return GoneError(f"Job {job_id} {verdict}.")


def job_changed(job_id: str) -> ConflictError:
    """Somebody else was faster."""
    return ConflictError(f"Job {job_id} was changed at the same time: read it again, and repeat the change")
