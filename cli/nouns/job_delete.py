"""`job delete`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style
from sliceworks.protocol.errors import ConflictError, GoneError, NotFoundError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Execution


@click.command()
@targets_argument("job_id")
@dry_run_option
@quiet_option
@api_options
def delete(*, targets: Sequence[str], dry_run: bool, quiet: bool, url: str, style: Style) -> int:
    """Delete jobs and their executions, for good; a job that runs is refused (5).

    They can still be shown by their ids, but not started, updated or recovered.
    """
    work = _only_said if dry_run else _delete
    return for_each(targets, work, url=url, printer=Printer(style, "job_id", quiet))


async def _delete(client: Client, target: str) -> Done:
    deleted = await client.jobs.delete(target)
    return Done(deleted.document, f"job {target} ({deleted.name}): deleted")


async def _only_said(client: Client, target: str) -> Done:
    """Refuses what the master would refuse."""
    job = await client.jobs.get(target)
    if job.deleted:
        message = f"Job {target} has already been deleted."
        raise GoneError(message)
    latest = await _latest(client, target)
    if latest and not latest.is_over:
        message = f"Job {target} is currently running, cannot delete a running job."
        raise ConflictError(message)
    status = latest.status.value if latest else None
    document = {"job_id": target, "dry_run": True, "would": "delete", "name": job.name, "status": status}
    return Done(document, f"job {target} ({job.name}): would be deleted, with its executions")


async def _latest(client: Client, target: str) -> Execution | None:
    try:
        return await client.jobs.latest_execution(target)
    except NotFoundError:
        return None
